# Debian's docker-registry as a child process on loopback, and a real Debian root filesystem to put into it. Linux only; the
# tests on another system are told of registries that run beside them.
Add-Type -AssemblyName System.Net.Http

function Invoke-Tool([string] $Program, [string[]] $Arguments) {
    $ErrorActionPreference = 'Continue'
    $output = & $Program @Arguments 2>&1
    if ($LASTEXITCODE -ne 0) { throw "$Program ended with $LASTEXITCODE`: $(@($output | Select-Object -Last 20) -join "`n")" }
    $output
}

# The programs that are not there, of those that these tests call.
function Get-MissingProgram([string[]] $Name) { $Name | Where-Object { -not (Get-Command $_ -CommandType Application -ErrorAction Ignore) } }

# The first mirror that apt uses.
function Get-DebianMirror {
    $sources = Get-ChildItem -Path '/etc/apt/sources.list', '/etc/apt/sources.list.d/*' -ErrorAction Ignore | Where-Object { $_.Name -match '\.(list|sources)$' }
    foreach ($file in $sources) {
        if ([IO.File]::ReadAllText($file.FullName) -match 'https?://\S+/debian/?(?=\s)') { return $Matches[0] }
    }
    'http://deb.debian.org/debian'
}

# The machine's own Debian, whose keys and script debootstrap surely has; stable on another system.
function Get-DebianSuite {
    $release = if (Test-Path -LiteralPath '/etc/os-release') { [IO.File]::ReadAllText('/etc/os-release') }
    if ($release -match '(?m)^ID=debian\s*$' -and $release -match '(?m)^VERSION_CODENAME=(\w+)') { $Matches[1] } else { 'stable' }
}

# The tar.gz of a Debian made by debootstrap, kept outside the repository because making it takes a minute and a network.
function Get-DebianRootfs {
    $cache = if ($env:WSLIMAGE_TEST_CACHE) { $env:WSLIMAGE_TEST_CACHE } elseif ($env:XDG_CACHE_HOME) { Join-Path $env:XDG_CACHE_HOME 'wslimage-tests' } else { Join-Path $HOME '.cache/wslimage-tests' }
    $suite = Get-DebianSuite
    $file = Join-Path $cache "debian-$suite-minbase.tar.gz"
    if (Test-Path -LiteralPath $file) { return $file }
    $missing = @(Get-MissingProgram debootstrap, tar, gzip)
    if ($missing) { throw "no $($missing -join ' and no ') to make a Debian root filesystem with" }
    if ("$(Invoke-Tool id '-u')" -ne '0') { throw 'debootstrap needs root' }
    $null = New-Item -ItemType Directory -Force -Path $cache
    $folder = Join-Path $cache "debian-$PID"
    try {
        $null = Invoke-Tool debootstrap '--variant=minbase', $suite, "$folder/root", (Get-DebianMirror)
        $null = Invoke-Tool tar '--numeric-owner', '-C', "$folder/root", '-czf', "$folder/root.tar.gz", '.'
        Move-Item -LiteralPath "$folder/root.tar.gz" -Destination $file -Force
    }
    finally { if (Test-Path -LiteralPath $folder) { $null = Invoke-Tool rm '-rf', '--one-file-system', $folder } }
    $file
}

# A certificate for localhost and the authority that signed it, as files in the folder.
function New-Certificate([string] $Folder) {
    $key = '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'
    $null = Invoke-Tool openssl (@('req', '-x509') + $key + '-keyout', "$Folder/ca.key", '-out', "$Folder/ca.pem", '-days', '2', '-subj', '/CN=WslImage tests', '-addext', 'keyUsage=critical,keyCertSign')
    $null = Invoke-Tool openssl (@('req') + $key + '-keyout', "$Folder/key.pem", '-out', "$Folder/request.pem", '-subj', '/CN=localhost')
    [IO.File]::WriteAllText("$Folder/extensions", "subjectAltName=DNS:localhost,IP:127.0.0.1`nextendedKeyUsage=serverAuth`nbasicConstraints=CA:FALSE`n")
    $null = Invoke-Tool openssl 'x509', '-req', '-in', "$Folder/request.pem", '-CA', "$Folder/ca.pem", '-CAkey', "$Folder/ca.key", '-CAcreateserial', '-days', '2', '-extfile', "$Folder/extensions", '-out', "$Folder/cert.pem"
    [pscustomobject]@{ Authority = "$Folder/ca.pem"; Certificate = "$Folder/cert.pem"; Key = "$Folder/key.pem" }
}

# Starts docker-registry over TLS, with Basic authentication when a login is given. Ends with Stop-DockerRegistry.
function Start-DockerRegistry([string] $Folder, $Certificate, [string] $User, [string] $Password) {
    $auth = ''
    if ($User) {
        [IO.File]::WriteAllText("$Folder/htpasswd", ((Invoke-Tool htpasswd '-Bbn', $User, $Password) -join "`n").Trim() + "`n")
        $auth = "auth:`n  htpasswd:`n    realm: tests`n    path: $Folder/htpasswd`n"
    }
    [IO.File]::WriteAllText("$Folder/config.yml", "version: 0.1`nlog:`n  accesslog:`n    disabled: true`nstorage:`n  filesystem:`n    rootdirectory: $Folder/store`n" +
        "http:`n  addr: 127.0.0.1:0`n  secret: tests`n  tls:`n    certificate: $($Certificate.Certificate)`n    key: $($Certificate.Key)`n$auth")
    $start = New-Object System.Diagnostics.ProcessStartInfo 'docker-registry', "serve $Folder/config.yml"
    $start.UseShellExecute = $false
    $start.RedirectStandardError = $start.RedirectStandardOutput = $true
    $process = [System.Diagnostics.Process]::Start($start)
    $null = $process.StandardOutput.ReadToEndAsync()
    $lines = @()
    while ($null -ne ($line = $process.StandardError.ReadLine())) {
        $lines += $line
        if ($line -match 'listening on 127\.0\.0\.1:(\d+)') {
            $null = $process.StandardError.ReadToEndAsync()
            return [pscustomobject]@{ Address = "localhost:$($Matches[1])"; Process = $process; User = $User; Password = $Password }
        }
    }
    throw "docker-registry did not start: $($lines -join "`n")"
}

function Stop-DockerRegistry($Registry) {
    if ($Registry) { $Registry.Process.Kill(); $Registry.Process.WaitForExit(); $Registry.Process.Dispose() }
}

# One registry for everybody and one that wants a login, both with the Debian image. Ends with Stop-RealRegistry.
function Start-RealRegistry([string] $Folder) {
    $missing = @(Get-MissingProgram 'docker-registry', 'openssl', 'htpasswd')
    if ($missing) { throw "there is no $($missing -join ' and no ') here" }
    $rootfs = Get-DebianRootfs
    $certificate = New-Certificate (New-Item -ItemType Directory -Path (Join-Path $Folder 'certificate')).FullName
    $running = [ordered]@{ repository = 'distributions/debian'; tag = 'minbase'; rootfs = $rootfs; size = (Get-Item -LiteralPath $rootfs).Length; authority = $certificate.Authority; user = 'somebody'; password = 'Secr3t: word' }
    try {
        $running.plain = Start-DockerRegistry (New-Item -ItemType Directory -Path (Join-Path $Folder 'plain')).FullName $certificate
        $running.guarded = Start-DockerRegistry (New-Item -ItemType Directory -Path (Join-Path $Folder 'guarded')).FullName $certificate $running.user $running.password
        foreach ($one in $running.plain, $running.guarded) { $running.digest = Publish-Image $one $running.repository $running.tag $rootfs }
    }
    catch { Stop-RealRegistry $running; throw }
    $running
}

function Stop-RealRegistry($Running) { if ($Running) { foreach ($one in $Running.plain, $Running.guarded) { Stop-DockerRegistry $one } } }

function Send-Request($Client, $Registry, [string] $Method, [string] $Url, $Content) {
    $request = New-Object System.Net.Http.HttpRequestMessage (New-Object System.Net.Http.HttpMethod $Method), $Url
    if ($Registry.User) {
        $login = [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes("$($Registry.User):$($Registry.Password)"))
        $request.Headers.Authorization = New-Object System.Net.Http.Headers.AuthenticationHeaderValue 'Basic', $login
    }
    $request.Content = $Content
    $response = $Client.SendAsync($request).GetAwaiter().GetResult()
    if (-not $response.IsSuccessStatusCode) { throw "docker-registry answered $Method $Url with $([int] $response.StatusCode): $($response.Content.ReadAsStringAsync().GetAwaiter().GetResult())" }
    $response
}

function Send-Blob($Client, $Registry, [string] $Repository, [string] $Digest, [IO.Stream] $Stream) {
    $upload = Send-Request $Client $Registry POST "https://$($Registry.Address)/v2/$Repository/blobs/uploads/"
    $target = New-Object uri (New-Object uri "https://$($Registry.Address)"), $upload.Headers.Location
    $content = New-Object System.Net.Http.StreamContent $Stream
    $content.Headers.ContentType = 'application/octet-stream'
    $joint = if ($target.Query) { '&' } else { '?' }
    $null = Send-Request $Client $Registry PUT "$($target.AbsoluteUri)$joint`digest=$([uri]::EscapeDataString($Digest))" $content
}

function Get-Sha256([IO.Stream] $Stream) {
    $sha = [System.Security.Cryptography.SHA256]::Create()
    try { 'sha256:' + [BitConverter]::ToString($sha.ComputeHash($Stream)).Replace('-', '').ToLowerInvariant() } finally { $sha.Dispose() }
}

# Pushes the tar.gz as the one layer of an OCI image behind an index, and gives the layer's digest.
function Publish-Image($Registry, [string] $Repository, [string] $Tag, [string] $Layer) {
    $handler = New-Object System.Net.Http.HttpClientHandler
    $handler.ServerCertificateCustomValidationCallback = [System.Net.Http.HttpClientHandler]::DangerousAcceptAnyServerCertificateValidator
    $client = New-Object System.Net.Http.HttpClient $handler
    $client.Timeout = [timespan]::FromMinutes(10)
    $oci = 'application/vnd.oci.image'
    try {
        $plain = New-Object IO.Compression.GZipStream ([IO.File]::OpenRead($Layer)), ([IO.Compression.CompressionMode]::Decompress)
        try { $diffId = Get-Sha256 $plain } finally { $plain.Dispose() }
        $stream = [IO.File]::OpenRead($Layer)
        try {
            $layerEntry = [ordered]@{ mediaType = "$oci.layer.v1.tar+gzip"; digest = (Get-Sha256 $stream); size = $stream.Length }
            $stream.Position = 0
            Send-Blob $client $Registry $Repository $layerEntry.digest $stream
        }
        finally { $stream.Dispose() }
        $config = [ordered]@{ created = '2024-03-01T10:20:30Z'; os = 'linux'; architecture = 'amd64'
            config = @{ Labels = @{ 'org.opencontainers.image.title' = 'Debian' } }; rootfs = @{ type = 'layers'; diff_ids = @($diffId) } }
        $configEntry = Get-Descriptor "$oci.config.v1+json" $config
        Send-Blob $client $Registry $Repository $configEntry.digest (Get-JsonStream $config)
        $manifest = [ordered]@{ schemaVersion = 2; mediaType = "$oci.manifest.v1+json"; config = $configEntry; layers = @($layerEntry) }
        $entry = Get-Descriptor "$oci.manifest.v1+json" $manifest
        Send-Manifest $client $Registry $Repository $entry.digest $manifest
        $entry.platform = @{ os = 'linux'; architecture = 'amd64' }
        Send-Manifest $client $Registry $Repository $Tag ([ordered]@{ schemaVersion = 2; mediaType = "$oci.index.v1+json"; manifests = @($entry) })
        $layerEntry.digest
    }
    finally { $client.Dispose() }
}

function Get-JsonStream($Value) {
    $bytes = [Text.Encoding]::UTF8.GetBytes((ConvertTo-Json -InputObject $Value -Depth 10 -Compress))
    New-Object IO.MemoryStream (, $bytes)
}

function Get-Descriptor([string] $MediaType, $Value) {
    $stream = Get-JsonStream $Value
    [ordered]@{ mediaType = $MediaType; digest = (Get-Sha256 $stream); size = $stream.Length }
}

function Send-Manifest($Client, $Registry, [string] $Repository, [string] $Reference, $Manifest) {
    $content = New-Object System.Net.Http.StreamContent (Get-JsonStream $Manifest)
    $content.Headers.ContentType = $Manifest.mediaType
    $null = Send-Request $Client $Registry PUT "https://$($Registry.Address)/v2/$Repository/manifests/$Reference" $content
}

Export-ModuleMember -Function Start-RealRegistry, Stop-RealRegistry
