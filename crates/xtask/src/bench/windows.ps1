# One call of Get-DockerImage in this shell, on Linux or in wine, and how long it took.
param(
    [Parameter(Mandatory)] [string] $Module,
    [Parameter(Mandatory)] [string] $Registry,
    [Parameter(Mandatory)] [string] $ImageName,
    [Parameter(Mandatory)] [string] $Tag,
    [Parameter(Mandatory)] [string] $DestinationFile,
    [Parameter(Mandatory)] [string] $CACertificatePath,
    [Parameter(Mandatory)] [string] $Result
)
$ErrorActionPreference = 'Stop'
Import-Module $Module
$call = @{ Registry = $Registry; ImageName = $ImageName; Tag = $Tag; DestinationFile = $DestinationFile; CACertificatePath = $CACertificatePath }
$watch = [System.Diagnostics.Stopwatch]::StartNew()
$hash = Get-DockerImage @call
$watch.Stop()
[System.IO.File]::WriteAllText($Result, (ConvertTo-Json @{ hash = $hash; seconds = $watch.Elapsed.TotalSeconds }))
