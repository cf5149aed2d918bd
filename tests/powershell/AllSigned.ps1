# On a Windows that may be thrown away, as administrator: signs a copy of the module with a certificate that this machine is made
# to trust, and uses it in both PowerShells under the execution policy AllSigned. Nothing else of Windows shows that, and the
# trust in the certificate is taken back at the end.
[CmdletBinding()]
param([string] $Module = [IO.Path]::Combine($PSScriptRoot, '..', '..', 'out', 'WslImage'))
$ErrorActionPreference = 'Stop'
Set-StrictMode -Version 3.0

$place = Join-Path ([IO.Path]::GetTempPath()) "wslimage-signed-$([guid]::NewGuid().ToString('N'))"
$unsigned = [IO.Path]::Combine($place, 'unsigned', 'WslImage')
$signed = [IO.Path]::Combine($place, 'signed', 'WslImage')
foreach ($copy in $unsigned, $signed) {
    $null = New-Item -ItemType Directory -Path (Split-Path $copy) -Force
    Copy-Item -LiteralPath $Module -Destination $copy -Recurse
}

# What a user does, where only signed scripts run. Nobody listens on the port: that is told by the native library.
$use = @'
$ErrorActionPreference = 'Stop'
if ((Get-ExecutionPolicy) -ne 'AllSigned') { throw "The execution policy is $(Get-ExecutionPolicy)." }
Import-Module $env:SIGNED_MODULE
$null = Get-WslImageCache -CachePath (Split-Path $env:SIGNED_MODULE)
try { Get-DockerImageManifest -ImageName a/b -Registry 127.0.0.1:1 -MaximumRetryCount 0; throw 'There is a registry.' }
catch { if ($_.Exception.Message -notmatch '127\.0\.0\.1:1') { throw } }
'@
$use = [Convert]::ToBase64String([Text.Encoding]::Unicode.GetBytes($use))
function Test-Use([string] $Engine, [string] $Path) {
    $env:SIGNED_MODULE = $Path
    & $Engine -NoProfile -NonInteractive -ExecutionPolicy AllSigned -EncodedCommand $use 2>&1 | Out-Host
    $LASTEXITCODE -eq 0
}

function Use-Store([string] $Name, [scriptblock] $Action) {
    $store = New-Object Security.Cryptography.X509Certificates.X509Store $Name, LocalMachine
    $store.Open('ReadWrite')
    try { & $Action $store } finally { $store.Close() }
}

$certificate = New-SelfSignedCertificate -Type CodeSigningCert -Subject 'CN=WslImage test' -CertStoreLocation Cert:\CurrentUser\My
$stores = 'Root', 'TrustedPublisher'
try {
    foreach ($name in $stores) { Use-Store $name { param($store) $store.Add($certificate) } }
    foreach ($file in Get-ChildItem -LiteralPath $signed -Recurse -Include '*.psd1', '*.psm1', '*.ps1xml', '*.dll') {
        $signature = Set-AuthenticodeSignature -LiteralPath $file.FullName -Certificate $certificate -HashAlgorithm SHA256
        if ($signature.Status -ne 'Valid') { throw "$($file.FullName) was not signed: $($signature.StatusMessage)" }
    }
    foreach ($engine in 'powershell', 'pwsh') {
        if (Test-Use $engine $unsigned) { throw "$engine imports the module without a signature: AllSigned does not hold there." }
        if (-not (Test-Use $engine $signed)) { throw "$engine does not import and use the signed module under AllSigned." }
        Write-Host "$engine refuses the module without a signature, and imports and uses the signed one."
    }
}
finally {
    foreach ($name in $stores) { Use-Store $name { param($store) $store.Remove($certificate) } }
    Remove-Item -LiteralPath "Cert:\CurrentUser\My\$($certificate.Thumbprint)"
    Remove-Item -LiteralPath $place -Recurse -Force -ErrorAction SilentlyContinue
}
