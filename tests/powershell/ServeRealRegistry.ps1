# Runs Debian's docker-registry with a Debian image for tests in another PowerShell, which cannot start it. Writes one line of
# JSON (RealRegistry.Tests.ps1 reads it from WSLIMAGE_TEST_REAL_REGISTRY) and ends when its standard input closes.
$ErrorActionPreference = 'Stop'
Import-Module (Join-Path $PSScriptRoot 'DockerRegistry.psm1')
$folder = (New-Item -ItemType Directory -Path ([IO.Path]::Combine([IO.Path]::GetTempPath(), "wslimage-registry-$([guid]::NewGuid().ToString('N'))"))).FullName
$running = $null
try {
    $running = Start-RealRegistry $folder
    $told = [ordered]@{}
    foreach ($name in 'repository', 'tag', 'rootfs', 'size', 'authority', 'user', 'password', 'digest') { $told[$name] = $running.$name }
    foreach ($name in 'plain', 'guarded') { $told[$name] = @{ Address = $running.$name.Address } }
    [Console]::Out.WriteLine((ConvertTo-Json -InputObject $told -Compress))
    $null = [Console]::In.ReadToEnd()
}
finally {
    Stop-RealRegistry $running
    Remove-Item -LiteralPath $folder -Recurse -Force
}
