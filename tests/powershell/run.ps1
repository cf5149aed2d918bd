<#
.SYNOPSIS
Runs the module's tests in the PowerShell that runs this script.

.DESCRIPTION
The module is taken from the folder in WSLIMAGE_MODULE, else from out/WslImage. The test registry's addresses are taken from
WSLIMAGE_TEST_REGISTRY_CONTROL and its companions; where they are not set, the registry is started and ended here
(WSLIMAGE_TEST_REGISTRY_BIN, else what cargo built in target).
The last line is `N passed, N failed, N skipped`; the exit code is 0 when nothing failed.

.PARAMETER Name
Runs only the test files with these names, such as `Files` for Files.Tests.ps1.

.PARAMETER FullName
Runs only the tests whose full names match these wildcards.

.PARAMETER JUnit
Writes the results as JUnit XML to this file.

.PARAMETER Detailed
Names each test as it runs.

.PARAMETER Record
Runs no test: runs the original's side of the side by side and writes recorded/original.json.
#>
[CmdletBinding()]
param([string[]] $Name = @('*'), [string[]] $FullName = @(), [string] $JUnit, [switch] $Detailed, [switch] $Record)
$ErrorActionPreference = 'Stop'
$repository = [IO.Path]::GetFullPath([IO.Path]::Combine($PSScriptRoot, '..', '..'))

function Get-RegistryProgram {
    if ($env:WSLIMAGE_TEST_REGISTRY_BIN) { return $env:WSLIMAGE_TEST_REGISTRY_BIN }
    $file = 'wslimage-test-registry' + $(if ([IO.Path]::DirectorySeparatorChar -eq '\') { '.exe' })
    $found = @('debug', 'release' | ForEach-Object { [IO.Path]::Combine($repository, 'target', $_, $file) } | Where-Object { Test-Path -LiteralPath $_ })
    if (-not $found) { throw "No test registry in $(Join-Path $repository 'target'): run cargo build -p wslimage-test-registry first." }
    @($found | Sort-Object { (Get-Item -LiteralPath $_).LastWriteTimeUtc } -Descending)[0]
}

# The registry ends when its standard input closes, so it does not outlive this process whatever ends that.
function Start-Registry {
    $start = New-Object System.Diagnostics.ProcessStartInfo (Get-RegistryProgram), '--until-stdin-closes'
    $start.UseShellExecute = $false
    $start.RedirectStandardInput = $start.RedirectStandardOutput = $true
    $process = [System.Diagnostics.Process]::Start($start)
    $line = $process.StandardOutput.ReadLine()
    if (-not $line) { throw 'The test registry ended before it was ready.' }
    $ready = ConvertFrom-Json -InputObject $line
    $env:WSLIMAGE_TEST_REGISTRY_CONTROL = $ready.control
    $env:WSLIMAGE_TEST_REGISTRY_HTTP = $ready.http
    $env:WSLIMAGE_TEST_REGISTRY_HTTPS = $ready.https
    $env:WSLIMAGE_TEST_REGISTRY_CA = $ready.ca
    $process
}

# Where logins, mirrors and proxies of this machine would come from, and what stands there in the tests.
function Get-Isolation([string] $Folder) {
    $isolation = @{
        DOCKER_CONFIG = $Folder; REGISTRY_AUTH_FILE = $null; XDG_RUNTIME_DIR = $Folder; XDG_CONFIG_HOME = $Folder
        CONTAINERS_REGISTRIES_CONF = (Join-Path $Folder 'registries.conf'); WSLIMAGE_CACHE = $null
    }
    # Unix has another variable for each case; on Windows they are one.
    foreach ($proxy in 'HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY') {
        $isolation[$proxy] = $null
        if ([IO.Path]::DirectorySeparatorChar -eq '/') { $isolation[$proxy.ToLowerInvariant()] = $null }
    }
    # On Windows this holds for the proxy of the user's settings too.
    if ([IO.Path]::DirectorySeparatorChar -eq '/') { $isolation.HOME = $Folder } else { $isolation.APPDATA = $Folder; $isolation.NO_PROXY = '*' }
    $isolation
}

$nobody = [IO.Path]::Combine([IO.Path]::GetTempPath(), "wslimage-nobody-$([guid]::NewGuid().ToString('N'))")
$null = [IO.Directory]::CreateDirectory($nobody)
[IO.File]::WriteAllText((Join-Path $nobody 'registries.conf'), '')
# Two names that differ by case are two keys.
$isolation = New-Object System.Collections.Hashtable ([StringComparer]::Ordinal)
foreach ($pair in (Get-Isolation $nobody).GetEnumerator()) { $isolation[$pair.Key] = $pair.Value }

$before = New-Object System.Collections.Hashtable ([StringComparer]::Ordinal)
foreach ($variable in @($isolation.Keys) + 'WSLIMAGE_MODULE', 'WSLIMAGE_TEST_REGISTRY_CONTROL', 'WSLIMAGE_TEST_REGISTRY_HTTP', 'WSLIMAGE_TEST_REGISTRY_HTTPS', 'WSLIMAGE_TEST_REGISTRY_CA') {
    $before[$variable] = [Environment]::GetEnvironmentVariable($variable)
}
$registry = $null
$code = 1
Import-Module (Join-Path $PSScriptRoot 'Engine.psm1')
try {
    Set-ProcessVariable $isolation
    if (-not $env:WSLIMAGE_MODULE) { $env:WSLIMAGE_MODULE = [IO.Path]::Combine($repository, 'out', 'WslImage') }
    if (-not $Record) {
        if (-not (Test-Path -LiteralPath $env:WSLIMAGE_MODULE -PathType Container)) { throw "No module in $env:WSLIMAGE_MODULE: build it first." }
        $env:WSLIMAGE_MODULE = (Resolve-Path -LiteralPath $env:WSLIMAGE_MODULE).ProviderPath
    }
    if (-not $env:WSLIMAGE_TEST_REGISTRY_CONTROL) { $registry = Start-Registry }
    if ($Record) {
        & (Join-Path $PSScriptRoot 'Record.ps1')
        $code = 0
    }
    else {
        Import-Module Pester -MinimumVersion 5.0
        $global:PSDefaultParameterValues = Get-TestDefault
        # pwsh -File hands a list over as one text.
        $files = @(foreach ($one in ($Name -split ',')) { Get-ChildItem -Path (Join-Path $PSScriptRoot "$one.Tests.ps1") | ForEach-Object { $_.FullName } })
        if (-not $files) { throw "No test file is named $($Name -join ' or ')." }
        # What is different on Windows.
        $files = @($files | Where-Object { (Test-Windows) -or (Split-Path $_ -Leaf) -notlike 'Windows*' })
        if ($files) {
            $settings = @{
                Run = @{ Path = $files; PassThru = $true }
                Filter = @{ FullName = $FullName }
                Output = @{ Verbosity = $(if ($Detailed) { 'Detailed' } else { 'Normal' }) }
            }
            if ($JUnit) { $settings.TestResult = @{ Enabled = $true; OutputFormat = 'JUnitXml'; OutputPath = $JUnit } }
            $result = Invoke-Pester -Configuration (New-PesterConfiguration -Hashtable $settings)
            foreach ($test in $result.Skipped) {
                $because = @($test.ErrorRecord | ForEach-Object { $_.Exception.Message })
                Write-Host "skipped: $($test.ExpandedPath -join ' ')$(if ($because) { ": $($because -join ' ')" })"
            }
            foreach ($part in @($result.Failed) + @($result.FailedBlocks) + @($result.FailedContainers)) {
                foreach ($reason in $part.ErrorRecord) {
                    Write-Host "failed: $($part.ExpandedPath)$($part.Item): $(($reason.Exception.Message -split '\r?\n') -join ' ')"
                }
            }
            # A file that does not load and a block whose end fails are failures too, without a test to count.
            $failed = $result.FailedCount + $result.FailedBlocksCount + $result.FailedContainersCount
            $code = [int] ($failed -gt 0 -or $result.PassedCount + $result.SkippedCount -eq 0)
            Write-Host "$($result.PassedCount) passed, $failed failed, $($result.SkippedCount) skipped"
        }
        else {
            $code = 0
            Write-Host '0 passed, 0 failed, 0 skipped'
        }
    }
}
finally {
    if ($registry) {
        $registry.StandardInput.Close()
        if (-not $registry.WaitForExit(10000)) { $registry.Kill() }
        $registry.Dispose()
    }
    Remove-Item -LiteralPath $nobody -Recurse -Force -ErrorAction SilentlyContinue
    Set-ProcessVariable $before
}
exit $code
