# What a user types, each line shown before it runs.
param(
    [Parameter(Mandatory)] [string] $Module,
    [Parameter(Mandatory)] [string] $Registry,
    [Parameter(Mandatory)] [string] $ImageName,
    [Parameter(Mandatory)] [string] $Tag,
    [Parameter(Mandatory)] [string] $Folder,
    [string] $Platform,
    [string] $CACertificatePath
)
$ErrorActionPreference = 'Stop'
Set-Location -LiteralPath $Folder

$image = "-Registry '$Registry' -ImageName '$ImageName' -Tag '$Tag'"
if ($Platform) {
    $image += " -Platform $Platform"
}
if ($CACertificatePath) {
    $image += " -CACertificatePath '$CACertificatePath'"
}
$lines = @(
    "Import-Module '$Module'"
    "`$hash = Get-DockerImage $image -DestinationFile rootfs.tar.gz"
    '$hash'
    '(Get-FileHash rootfs.tar.gz).Hash -eq $hash'
    'tar -tvf rootfs.tar.gz | Select-Object -First 20'
)
foreach ($line in $lines) {
    Write-Host "`nPS> $line" -ForegroundColor Cyan
    . ([scriptblock]::Create($line))
}
if ((Get-FileHash rootfs.tar.gz).Hash -ne $hash) {
    throw 'The file is not what the image says.'
}
Write-Host "`nThe file is $(Join-Path (Get-Location) rootfs.tar.gz). On Windows: wsl --import Demo .\Demo rootfs.tar.gz"
