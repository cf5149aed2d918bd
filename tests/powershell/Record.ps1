# Writes recorded/original.json: what the original gives for each case, for machines that do not have it.
$ErrorActionPreference = 'Stop'
$original = [IO.Path]::GetFullPath([IO.Path]::Combine($PSScriptRoot, '..', '..', '..', 'shared', 'original', 'Wsl-Image.Docker.ps1'))
if (-not (Test-Path -LiteralPath $original)) { throw "The original is not there: $original" }
$folder = (New-Item -ItemType Directory -Path (Join-Path ([IO.Path]::GetTempPath()) "wslimage-record-$PID")).FullName
try {
    $process = (New-Item -ItemType Directory -Path (Join-Path $folder 'process')).FullName
    Import-Module (Join-Path $PSScriptRoot 'Engine.psm1')
    $run = Invoke-Shell -Folder $folder -WorkingDirectory $process -Environment @{
        SSL_CERT_FILE = $env:WSLIMAGE_TEST_REGISTRY_CA; TEST_FOLDER = $folder; TEST_RESULT = [IO.Path]::Combine($PSScriptRoot, 'recorded', 'original.json'); TEST_ORIGINAL = $original
        TEST_SCRIPT = (Join-Path $PSScriptRoot 'SideBySide.ps1') } -Script '& $env:TEST_SCRIPT -Original $env:TEST_ORIGINAL -Result $env:TEST_RESULT -Folder $env:TEST_FOLDER'
    if ($run.ExitCode -ne 0) { throw "The recording ended with $($run.ExitCode): $($run.Error) $($run.Output)" }
    Write-Host 'Recorded.'
}
finally { Remove-Item -LiteralPath $folder -Recurse -Force }
