<#
.SYNOPSIS
Makes WSL distributions of container images, and leaves alone those that are there already.

.DESCRIPTION
Each distribution gets a folder of its name in -Location, with its disk and a file image.txt that says of which image it was
made. One that WSL has already, of the same image, stays as it is. One of another image, or of which nothing is known, is an
error, unless -Force replaces it. An error of one distribution does not keep the others from being made.

Needs the module WslImage. Runs in Windows PowerShell 5.1 and in PowerShell 7.

.PARAMETER Name
The name of the distribution, as `wsl --list` shows it.

.PARAMETER ImageName
The image, as for Get-DockerImage: owner/name, or a whole reference such as docker.io/library/alpine:3.20.

.PARAMETER Location
The folder in which the distributions' folders lie.

.PARAMETER WslVersion
1 or 2; WSL's own default when not given.

.PARAMETER RegistryParameter
More for Get-DockerImage and Get-DockerImageManifest alike, such as @{ Platform = 'linux/arm64'; Credential = $login }.

.PARAMETER Force
Replaces a distribution of another image. What is in the old one is lost.

.EXAMPLE
.\Import-WslDistribution.ps1 -Name alpine -ImageName docker.io/library/alpine:3.20

.EXAMPLE
Import-Csv .\distributions.csv | .\Import-WslDistribution.ps1 -Location D:\wsl

The file has a line `Name,ImageName`, and a line for each distribution.

.OUTPUTS
An object for each distribution: Name, ImageName, Digest, Path, and Status, which is Imported, Replaced or Unchanged.
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    [Parameter(Mandatory = $true, ValueFromPipelineByPropertyName = $true)]
    [ValidatePattern('^[a-zA-Z0-9._-]{1,256}$')]
    [string] $Name,
    [Parameter(Mandatory = $true, ValueFromPipelineByPropertyName = $true)]
    [string] $ImageName,
    [string] $Location = (Join-Path $HOME 'wsl'),
    [ValidateSet('1', '2')]
    [string] $WslVersion,
    [hashtable] $RegistryParameter = @{},
    [switch] $Force
)
begin {
    Import-Module WslImage -ErrorAction Stop
    # wsl.exe is a program of its own: it knows nothing of PowerShell's location and drives.
    $folder = $PSCmdlet.GetUnresolvedProviderPathFromPSPath($Location)

    # Runs wsl and returns what it says. It says it in UTF-16, which reads as text with a NUL behind each letter.
    function Invoke-Wsl([string[]] $Arguments) {
        $said = @(& wsl @Arguments | ForEach-Object { "$_".Replace("$([char] 0)", '').Trim() } | Where-Object { $_ })
        if ($LASTEXITCODE -ne 0) {
            throw "wsl $($Arguments -join ' ') ended with exit code ${LASTEXITCODE}: $($said -join ' ')"
        }
        $said
    }

    # It ends with an error where there is no distribution yet.
    function Test-Distribution([string] $Name) {
        try { $names = @(Invoke-Wsl '--list', '--quiet') } catch { $names = @() }
        $names -contains $Name
    }
}
process {
    $path = Join-Path $folder $Name
    $record = Join-Path $path 'image.txt'
    $archive = Join-Path $folder "$Name.rootfs.tar.gz"
    try {
        $digest = (Get-DockerImageManifest -ImageName $ImageName @RegistryParameter 6>$null).digest
        $result = [pscustomobject] @{ Name = $Name; ImageName = $ImageName; Digest = $digest; Path = $path; Status = 'Imported' }
        $exists = Test-Distribution $Name
        if ($exists) {
            $known = if (Test-Path -LiteralPath $record) { @(Get-Content -LiteralPath $record)[0] } else { 'an unknown image' }
            if ($known -eq $digest) {
                $result.Status = 'Unchanged'
                return $result
            }
            if (-not $Force) {
                throw "The distribution $Name is there already, made of $known, and $ImageName is now $digest. -Force replaces it, and what is in it is lost."
            }
            $result.Status = 'Replaced'
        }
        if (-not $PSCmdlet.ShouldProcess("distribution $Name in $path", "Make of $ImageName ($digest)")) {
            return
        }

        # The old one goes when the new one's archive is complete.
        $null = Get-DockerImage -ImageName $ImageName -DestinationFile $archive @RegistryParameter 6>$null
        if ($exists) {
            $null = Invoke-Wsl '--unregister', $Name
        }
        $import = @('--import', $Name, $path, $archive)
        if ($WslVersion) {
            $import += '--version', $WslVersion
        }
        $null = Invoke-Wsl $import
        [System.IO.File]::WriteAllLines($record, [string[]] @($digest, $ImageName))
        Remove-Item -LiteralPath $archive
        $result
    }
    catch {
        $failure = New-Object System.Management.Automation.ErrorRecord $_.Exception, 'DistributionNotMade', 'NotSpecified', $Name
        $failure.ErrorDetails = New-Object System.Management.Automation.ErrorDetails "${Name}: $($_.Exception.Message)"
        $PSCmdlet.WriteError($failure)
    }
}
