# One call of Get-DockerImage in this shell, as soon as standard input closes: then all such shells begin at once.
param(
    [Parameter(Mandatory)] [string] $Module,
    [Parameter(Mandatory)] [string] $Registry,
    [Parameter(Mandatory)] [string] $ImageName,
    [Parameter(Mandatory)] [string] $Tag,
    [Parameter(Mandatory)] [string] $DestinationFile,
    [Parameter(Mandatory)] [string] $CACertificatePath
)
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
[void] $PSBoundParameters.Remove('Module')
Import-Module $Module
[Console]::Out.WriteLine('ready')
[void] [Console]::In.ReadLine()
# The digest alone: a program's standard output has the information stream too.
Get-DockerImage @PSBoundParameters 3> $null 6> $null
