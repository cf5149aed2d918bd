# Saves Pester into a folder, unless it is there or PowerShell has one of version 5 or later.
param(
    [Parameter(Mandatory)] [string] $Folder,
    [Parameter(Mandatory)] [string] $Version
)
$ErrorActionPreference = 'Stop'
if (Test-Path -LiteralPath (Join-Path $Folder 'Pester')) {
    exit 0
}
if (Get-Module -ListAvailable Pester | Where-Object { $_.Version -ge [version]'5.0' }) {
    exit 0
}
$null = New-Item -ItemType Directory -Force -Path $Folder
Save-PSResource -Name Pester -Version $Version -Path $Folder -TrustRepository
