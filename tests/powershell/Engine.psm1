# Runs PowerShell beside the running one and tells what came of it: in this process with every stream kept apart, or in a
# process of its own as a user starts it.
$script:onWindows = [IO.Path]::DirectorySeparatorChar -eq '\'

function Test-Windows { $script:onWindows }

# What fails in a test fails again: nothing is tried again unless a test asks for it.
function Get-TestDefault { [System.Management.Automation.DefaultParameterDictionary] @{ 'Get-Docker*:MaximumRetryCount' = 0 } }

# A PowerShell in this process that has the module; nothing runs yet. $Variable are its global variables.
function New-Engine([string] $Script, [System.Collections.IDictionary] $Variable = @{}) {
    $runspace = [runspacefactory]::CreateRunspace()
    $runspace.Open()
    $runspace.SessionStateProxy.SetVariable('PSDefaultParameterValues', (Get-TestDefault))
    foreach ($key in $Variable.Keys) { $runspace.SessionStateProxy.SetVariable($key, $Variable[$key]) }
    $shell = [powershell]::Create()
    $shell.Runspace = $runspace
    $null = $shell.AddCommand('Import-Module').AddParameter('Name', $env:WSLIMAGE_MODULE).Invoke()
    if ($shell.HadErrors) { throw $shell.Streams.Error[0] }
    $shell.Commands.Clear()
    $shell.AddScript($Script)
}

# Stops a PowerShell that $Start has started, and tells how many seconds that took; $Check looks at what is left. A machine may
# stand still for a moment, but not each time: it is done up to three times until one takes less than a second. $Start is told
# which attempt it is for.
function Measure-Stop([scriptblock] $Start, [scriptblock] $Check = {}) {
    $seconds = [double]::MaxValue
    for ($attempt = 1; $attempt -le 3 -and $seconds -ge 1; $attempt++) {
        $shell = & $Start $attempt
        try {
            $clock = [System.Diagnostics.Stopwatch]::StartNew()
            $shell.Stop()
            $seconds = [math]::Min($seconds, $clock.Elapsed.TotalSeconds)
            $null = & $Check $shell
        }
        finally { $shell.Runspace.Dispose(); $shell.Dispose() }
    }
    $seconds
}

# What a PowerShell has given so far. ErrorRecord is the error that ended it, Line the lines that Write-Host would show.
function Get-EngineResult($Shell, $Output, $ErrorRecord) {
    [pscustomobject]@{
        State = $Shell.InvocationStateInfo.State
        Output = @($Output)
        ErrorRecord = $ErrorRecord
        Exception = $(if ($ErrorRecord) { $ErrorRecord.Exception })
        Errors = @($Shell.Streams.Error)
        Line = @(Join-Line $Shell.Streams.Information)
        Information = @($Shell.Streams.Information)
        Verbose = @($Shell.Streams.Verbose | ForEach-Object { $_.Message })
        Warning = @($Shell.Streams.Warning | ForEach-Object { $_.Message })
        Progress = @($Shell.Streams.Progress)
    }
}

function Invoke-Engine([string] $Script, [System.Collections.IDictionary] $Variable = @{}) {
    $shell = New-Engine $Script $Variable
    $failure = $null
    # A collection of our own keeps what was written before a failure.
    $output = New-Object 'System.Management.Automation.PSDataCollection[psobject]'
    try {
        try { $shell.Invoke($null, $output) }
        catch { $failure = Get-InnerRecord $_ }
        Get-EngineResult $shell $output.ReadAll() $failure
    }
    finally { $shell.Runspace.Dispose(); $shell.Dispose() }
}

# Calling .Invoke() wraps what the script threw; this is the script's own record.
function Get-InnerRecord($Record) {
    $inner = $Record.Exception.InnerException
    if ($inner -and $inner.PSObject.Properties['ErrorRecord'] -and $inner.ErrorRecord) { $inner.ErrorRecord } else { $Record }
}

# The lines that the information records of Write-Host make.
function Join-Line($Record) {
    $text = New-Object System.Text.StringBuilder
    foreach ($one in $Record) {
        $data = $one.MessageData
        if ($data -isnot [System.Management.Automation.HostInformationMessage]) { $null = $text.Append("$data`n"); continue }
        $null = $text.Append($data.Message)
        if (-not $data.NoNewLine) { $null = $text.Append("`n") }
    }
    $whole = $text.ToString()
    if ($whole) { $whole.TrimEnd("`n").Split("`n") }
}

# The lines' leading signs, spelled so that this file needs no encoding.
function Get-Sign([ValidateSet('Working', 'Fact', 'Done')] [string] $Name) {
    switch ($Name) {
        'Working' { [string] [char] 0x231B }
        'Fact' { [char]::ConvertFromUtf32(0x1F440) }
        'Done' { [char]::ConvertFromUtf32(0x1F389) }
    }
}

# The error record that ends the script block, or nothing.
function Get-Failure([scriptblock] $Script) {
    try { $null = & $Script 6>$null } catch { return $_ }
}

# To .NET PowerShell hands $null over as an empty text, which is a value.
function Set-ProcessVariable([System.Collections.IDictionary] $Values) {
    foreach ($name in $Values.Keys) { [Environment]::SetEnvironmentVariable($name, $(if ($null -eq $Values[$name]) { [NullString]::Value } else { $Values[$name] })) }
}

# With other values in $env: for a while; $null is none.
function Invoke-With([System.Collections.IDictionary] $Variable, [scriptblock] $Script) {
    $before = @{}
    foreach ($name in $Variable.Keys) { $before[$name] = [Environment]::GetEnvironmentVariable($name) }
    Set-ProcessVariable $Variable
    try { & $Script } finally { Set-ProcessVariable $before }
}

# Bytes that no compression or text encoding leaves as they are, the same for the same count.
function Get-SampleByte([int] $Count) {
    $bytes = New-Object byte[] $Count
    (New-Object Random 20240301).NextBytes($bytes)
    , $bytes
}

# Removes a folder. Where a scanner still looks at a file in it, Windows says for a moment that it is not empty.
function Remove-Folder([string] $Folder) {
    $state = @{}
    $remove = { try { [IO.Directory]::Delete($Folder, $true); $true } catch [IO.IOException], [UnauthorizedAccessException] { $state.Failure = $_; $false } }
    if (-not [System.Threading.SpinWait]::SpinUntil($remove, 60000)) { throw $state.Failure }
}

# What is in a folder, as names relative to it.
function Get-FolderContent([string] $Folder) {
    @(Get-ChildItem -LiteralPath $Folder -Recurse -Force | ForEach-Object { $_.FullName.Substring($Folder.Length + 1) } | Sort-Object)
}

# Runs a script file in a new process of the PowerShell that runs this. $Script is written to $Folder first.
function Invoke-Shell([string] $Script, [string] $Folder, [System.Collections.IDictionary] $Environment = @{}, [string] $WorkingDirectory) {
    $file = Join-Path $Folder "script-$([guid]::NewGuid().ToString('N')).ps1"
    # The mark tells Windows PowerShell that it is UTF-8.
    [IO.File]::WriteAllText($file, $Script, (New-Object System.Text.UTF8Encoding $true))
    $start = New-Object System.Diagnostics.ProcessStartInfo
    $start.FileName = [System.Diagnostics.Process]::GetCurrentProcess().MainModule.FileName
    $start.Arguments = "-NoProfile -NonInteractive $(if ($script:onWindows) { '-ExecutionPolicy Bypass ' })-File `"$file`""
    $start.UseShellExecute = $false
    $start.RedirectStandardInput = $start.RedirectStandardOutput = $start.RedirectStandardError = $true
    $start.StandardOutputEncoding = $start.StandardErrorEncoding = New-Object System.Text.UTF8Encoding $false
    if ($WorkingDirectory) { $start.WorkingDirectory = $WorkingDirectory }
    foreach ($key in $Environment.Keys) {
        if ($null -eq $Environment[$key]) { $start.EnvironmentVariables.Remove($key) } else { $start.EnvironmentVariables[$key] = [string] $Environment[$key] }
    }
    $process = [System.Diagnostics.Process]::Start($start)
    try {
        $process.StandardInput.Close()
        $output = $process.StandardOutput.ReadToEndAsync()
        $errors = $process.StandardError.ReadToEndAsync()
        if (-not $process.WaitForExit(600000)) { $process.Kill(); throw "A PowerShell did not end within ten minutes: $file" }
        $process.WaitForExit()
        [pscustomobject]@{ ExitCode = $process.ExitCode; Output = $output.Result; Error = $errors.Result }
    }
    finally { $process.Dispose() }
}

Export-ModuleMember -Function Test-Windows, Get-TestDefault, New-Engine, Invoke-Engine, Measure-Stop, Get-EngineResult, Get-InnerRecord, Join-Line, Get-Sign, Get-Failure, Set-ProcessVariable, Invoke-With, Get-SampleByte,
    Remove-Folder, Get-FolderContent, Invoke-Shell
