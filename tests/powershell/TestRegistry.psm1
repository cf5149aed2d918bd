# Thin functions over the control interface of the test registry (tests/registry), whose addresses are in the environment.
# Requests go through HttpClient and not Invoke-RestMethod, whose answers differ between Windows PowerShell and PowerShell 7.
Add-Type -AssemblyName System.Net.Http
Import-Module (Join-Path $PSScriptRoot 'Layers.psm1')
$handler = New-Object System.Net.Http.HttpClientHandler
# That of this machine's settings, which a test may be changing.
$handler.UseProxy = $false
$script:client = New-Object System.Net.Http.HttpClient $handler
$script:client.Timeout = [timespan]::FromMinutes(5)

function Invoke-Control([string] $Method, [string] $Path, $Body) {
    if (-not $env:WSLIMAGE_TEST_REGISTRY_CONTROL) { throw 'No test registry: WSLIMAGE_TEST_REGISTRY_CONTROL is not set (run.ps1 starts one).' }
    $request = New-Object System.Net.Http.HttpRequestMessage (New-Object System.Net.Http.HttpMethod $Method), ($env:WSLIMAGE_TEST_REGISTRY_CONTROL + $Path)
    if ($null -ne $Body) {
        $json = ConvertTo-Json -InputObject $Body -Depth 50 -Compress
        $request.Content = New-Object System.Net.Http.StringContent $json, ([Text.Encoding]::UTF8), 'application/json'
    }
    $response = $script:client.SendAsync($request).GetAwaiter().GetResult()
    $text = [Text.Encoding]::UTF8.GetString($response.Content.ReadAsByteArrayAsync().GetAwaiter().GetResult())
    if (-not $response.IsSuccessStatusCode) { throw "The test registry answered $Method $Path with $([int] $response.StatusCode): $text" }
    if ($text) { ConvertFrom-Json -InputObject $text }
}

function Get-Query([System.Collections.IDictionary] $Values) {
    '?' + (@(foreach ($key in $Values.Keys) { "$key=$([uri]::EscapeDataString([string] $Values[$key]))" }) -join '&')
}

# Where the registry listens: Control and the rest as its own ready line names them.
function Get-TestRegistry {
    [pscustomobject]@{
        Http = $env:WSLIMAGE_TEST_REGISTRY_HTTP
        Https = $env:WSLIMAGE_TEST_REGISTRY_HTTPS
        Ca = $env:WSLIMAGE_TEST_REGISTRY_CA
    }
}

# A repository name that no other test has.
function New-TestRepository([string] $Name = 'image') { "powershell/$Name-$([guid]::NewGuid().ToString('N').Substring(0, 12))" }

# Puts an image up and tells where: one linux/amd64 image of a small root filesystem behind an index and an anonymous token service,
# unless told otherwise.
# -Platform takes the interface's own entries (platform, config, layers, manifest) in place of -Layer, -Config and -Manifest.
function Add-TestImage {
    param(
        [string] $Repository = (New-TestRepository),
        [string[]] $Tag = @('latest'),
        [object[]] $Layer = @(New-Layer ((Get-RootEntry) + @(@{ Name = 'etc/motd'; Text = $Repository }))),
        [System.Collections.IDictionary] $Config,
        [string] $ConfigText,
        [System.Collections.IDictionary] $Manifest,
        [object[]] $Platform,
        [System.Collections.IDictionary] $IndexOverrides,
        [System.Collections.IDictionary] $Auth = @{ scheme = 'bearer'; anonymous = $true },
        [switch] $NoIndex,
        [switch] $Docker)
    if (-not $Platform) {
        $one = @{ platform = @{ os = 'linux'; architecture = 'amd64' }; layers = $Layer }
        if ($Config) { $one.config = $Config }
        if ($ConfigText) { $one.configText = $ConfigText }
        if ($Manifest) { $one.manifest = $Manifest }
        $Platform = @($one)
    }
    $image = @{ repository = $Repository; tags = $Tag; auth = $Auth; platforms = $Platform; index = -not $NoIndex; docker = [bool] $Docker }
    if ($IndexOverrides) { $image.indexOverrides = $IndexOverrides }
    $digests = (Invoke-Control POST '/images' $image).digests
    $layers = @($digests.layers | Select-Object -First 1 | ForEach-Object { $_ })
    [pscustomobject]@{
        Repository = $Repository
        Tag = $Tag[0]
        Index = $digests.index
        Manifests = @($digests.manifests)
        Configs = @($digests.configs)
        Layers = $layers
        Blob = $Layer[0]
        Digest = $layers[0].digest
        Hex = "$($layers[0].digest)".Split(':')[-1]
        Size = $layers[0].size
        BlobPath = "/v2/$Repository/blobs/$($layers[0].digest)"
        ManifestPath = "/v2/$Repository/manifests/$($Tag[0])"
    }
}

function Add-TestBlob([string] $Repository, [System.Collections.IDictionary] $Blob) {
    Invoke-Control POST '/blobs' @{ repository = $Repository; blob = $Blob }
}

function Add-TestManifest([string] $Repository, [string] $Reference, [string] $MediaType, [string] $Text) {
    (Invoke-Control POST '/manifests' @{ repository = $Repository; reference = $Reference; mediaType = $MediaType; text = $Text }).digest
}

function Set-TestAuth([string] $Repository, [System.Collections.IDictionary] $Auth) {
    $null = Invoke-Control PUT '/auth' @{ repository = $Repository; auth = $Auth }
}

# How the repository's blobs and tags are served, such as @{ redirectBlobs = @{ to = 'cdn' } }.
function Set-TestOption([string] $Repository, [System.Collections.IDictionary] $Option) {
    $null = Invoke-Control PUT '/options' @{ repository = $Repository; options = $Option }
}

# Starts one more proxy and returns its address.
function Add-TestProxy([System.Collections.IDictionary] $Proxy) { (Invoke-Control POST '/proxies' $Proxy).address }

# Starts one more listener with TLS, with a certificate of its own, and returns its address.
function Add-TestListener([System.Collections.IDictionary] $Listener = @{}) { (Invoke-Control POST '/listeners' $Listener).address }

# What the registry answers at a path instead of what it would; each request takes the next step and the last one repeats.
function Add-TestRoute([string] $Path, [object[]] $Step, [string] $Method) {
    $route = @{ path = $Path; steps = $Step }
    if ($Method) { $route.method = $Method }
    $null = Invoke-Control POST '/routes' $route
}

function Remove-TestRoute([string] $Path) { $null = Invoke-Control DELETE ('/routes' + (Get-Query @{ path = $Path })) }

function Get-TestLog([string] $Repository, [string] $Path) {
    $which = if ($Repository) { @{ repository = $Repository } } else { @{ path = $Path } }
    foreach ($entry in (Invoke-Control GET ('/log' + (Get-Query $which)))) { $entry }
}

# Returns when as many requests to the path have arrived; fails when they do not.
function Wait-TestRequest([string] $Path, [int] $Count = 1, [int] $TimeoutSeconds = 60) {
    $null = Invoke-Control GET ('/wait' + (Get-Query ([ordered]@{ path = $Path; count = $Count; timeoutMs = 1000 * $TimeoutSeconds })))
}

# An address on loopback where nothing listens.
function Get-ClosedAddress {
    $listener = New-Object System.Net.Sockets.TcpListener ([System.Net.IPAddress]::Loopback), 0
    $listener.Start()
    $port = $listener.LocalEndpoint.Port
    $listener.Stop()
    "localhost:$port"
}

Export-ModuleMember -Function Get-TestRegistry, New-TestRepository, Add-TestImage, Add-TestBlob, Add-TestManifest, Set-TestAuth, Set-TestOption, Add-TestProxy, Add-TestListener, Add-TestRoute,
    Remove-TestRoute, Get-TestLog, Wait-TestRequest, Get-ClosedAddress
