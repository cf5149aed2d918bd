# One call of Get-DockerImage in this shell, of the module or of the original script, and what it took.
param(
    [Parameter(Mandatory)] [string] $Module,
    [Parameter(Mandatory)] [string] $Registry,
    [Parameter(Mandatory)] [string] $ImageName,
    [Parameter(Mandatory)] [string] $Tag,
    [Parameter(Mandatory)] [string] $DestinationFile,
    [Parameter(Mandatory)] [string] $Result,
    [Parameter(Mandatory)] [string] $Prepare,
    [Parameter(Mandatory)] [long] $Size,
    [string] $CACertificatePath,
    [int] $MaximumConnectionCount,
    [string] $OriginalScript
)
$ProgressPreference = 'Continue'

# kB, see proc_pid_status(5).
function Get-PeakMemory {
    $line = [System.IO.File]::ReadAllLines("/proc/$PID/status") -match '^VmHWM:'
    [long]("$line" -replace '\D')
}

# Tells the kernel to forget the peak, see proc_pid_clear_refs(5). It may refuse.
function Reset-PeakMemory {
    try {
        [System.IO.File]::WriteAllText("/proc/$PID/clear_refs", '5')
        $true
    }
    catch {
        $false
    }
}

$call = @{ Registry = $Registry; ImageName = $ImageName; Tag = $Tag; DestinationFile = $DestinationFile }
if ($OriginalScript) {
    Import-Module $Module -ArgumentList $OriginalScript, 'Core'
}
else {
    Import-Module $Module -ErrorAction Stop
    $call.CACertificatePath = $CACertificatePath
    if ($MaximumConnectionCount) {
        $call.MaximumConnectionCount = $MaximumConnectionCount
    }
}
# Not earlier: the original begins with a line that is an error.
$ErrorActionPreference = 'Stop'

& sh $Prepare (Split-Path -Parent $DestinationFile) $Size
if ($LASTEXITCODE -ne 0) {
    throw "$Prepare failed."
}
$process = [System.Diagnostics.Process]::GetCurrentProcess()
$before = Get-PeakMemory
$resident = if (Reset-PeakMemory) { Get-PeakMemory }
$process.Refresh()
$user = $process.UserProcessorTime
$system = $process.PrivilegedProcessorTime
$watch = [System.Diagnostics.Stopwatch]::StartNew()
$hash = Get-DockerImage @call
$watch.Stop()
$process.Refresh()

$taken = @{
    hash = $hash
    seconds = $watch.Elapsed.TotalSeconds
    user = ($process.UserProcessorTime - $user).TotalSeconds
    system = ($process.PrivilegedProcessorTime - $system).TotalSeconds
    memory = @{ before = $before; resident = $resident; after = Get-PeakMemory }
}
[System.IO.File]::WriteAllText($Result, (ConvertTo-Json $taken))
