# The inputs of the side by side, good and bad. Each: Name; Setup, which puts up what the registry serves ($repository is the
# case's own; Add-Route is Add-TestRoute undone afterwards); Run, what a caller writes, where $getImage, $getManifest and
# $getToken are the commands of the side that runs, and $file lies in the case's empty folder, the current location;
# Fetch, the PowerShell whose errors the original's requests give (see OriginalModule.psm1).
$manifestOf = { & $getManifest -Registry $registry -ImageName $repository -Tag latest }
$imageOf = { & $getImage -Registry $registry -ImageName $repository -Tag latest -DestinationFile $file }
$tokenOf = { & $getToken -Registry $registry -Repository $repository }

# The config that a builder writes, with $More members of its own and $Labels.
function Get-ConfigText([string] $Labels = '{"org.opencontainers.image.version":"3.19.1","com.example.distribution.uid":"1000"}', [string] $More = '') {
    '{"created":"2024-03-01T10:20:30Z","author":"Somebody <somebody@example.com>","architecture":"amd64","os":"linux",' +
    "`"config`":{`"Env`":[`"PATH=/usr/bin:/bin`",`"LANG=C.UTF-8`"],`"Cmd`":[`"/bin/sh`"],`"WorkingDir`":`"/`",`"Labels`":$Labels},$More" +
    '"rootfs":{"type":"layers","diff_ids":["sha256:f8e7785ad2b502abe7dd9c998681b8c62839a0ff978008987c72e7c7d36207f3"]},' +
    '"history":[{"created":"2024-03-01T10:20:30Z","created_by":"ADD rootfs.tar.gz /"},{"empty_layer":true}]}'
}
function Add-Image { param($Text = (Get-ConfigText), $More = @{}) Add-TestImage -Repository $repository -Layer @{ text = 'a root filesystem' } -ConfigText $Text @More }
function Add-Sized([int] $Bytes) { Add-TestImage -Repository $repository -Layer @{ text = 'x' * $Bytes } }

# Config, manifest and index as they come.
@{ Name = 'a config with labels'; Setup = { Add-Image }; Run = $manifestOf }
@{ Name = 'by position'; Setup = { Add-Image }; Run = { & $getManifest '' $repository latest $registry } }
@{ Name = 'abbreviated names'; Setup = { Add-Image }; Run = { & $getManifest -Reg $registry -Image $repository -T latest } }
@{ Name = 'with a token of the caller'; Setup = { Add-Image }; Run = { & $getManifest -Auth (& $getToken $registry $repository) -Image $repository -Tag latest -Reg $registry } }
@{ Name = 'Docker media types'; Setup = { Add-Image -More @{ Docker = $true } }; Run = $manifestOf }
@{ Name = 'a digest as tag'; Setup = { Add-Image }; Run = { & $getManifest -Registry $registry -Image $repository -Tag $image.Index } }
@{ Name = 'a number as tag'; Setup = { Add-Image -More @{ Tag = @('3.10', '3.1') } }; Run = { & $getManifest -Registry $registry -Image $repository -Tag 3.10 } }
@{ Name = 'dates of several precisions'; Run = $manifestOf
    Setup = { Add-Image (Get-ConfigText -More ('"dates":["2024-03-01","2024-03-01T10:20Z","2024-03-01T10:20:30","2024-03-01T10:20:30Z","2024-03-01T10:20:30.1Z",' +
                '"2024-03-01T10:20:30.123456Z","2024-03-01T10:20:30.1234567Z","2024-03-01T10:20:30.123456789Z","2024-03-01T10:20:30+02:00","0001-01-01T00:00:00Z",' +
                '"9999-12-31T23:59:59.9999999Z","2024-02-30T10:20:30Z","2024-03-01 10:20:30","2024-03-01T24:00:00Z","1709288430","/Date(1709288430000)/","Fri, 01 Mar 2024 10:20:30 GMT"],')) } }
@{ Name = 'created with nanoseconds'; Run = $manifestOf
    Setup = { Add-Image '{"created":"2024-03-01T10:20:30.987654321Z","architecture":"amd64","os":"linux","config":{}}' } }
@{ Name = 'dates in labels'; Setup = { Add-Image (Get-ConfigText '{"org.opencontainers.image.created":"2024-03-01T10:20:30.5+01:00","date":"2024-03-01"}') }; Run = $manifestOf }
@{ Name = 'unicode'; Run = $manifestOf
    Setup = { Add-Image (Get-ConfigText ('{"title":"' + [char]0xC4 + 'rger ' + [char]::ConvertFromUtf32(0x1F427) + ' \u4e2d\u6587 \ud83d\ude00","' + [char]0x3B1 + '":"e\u0301","nul":"a\u0000b","escapes":"\t\"\\\/\r\n","empty":""}')) } }
@{ Name = 'a lone surrogate'; Setup = { Add-Image (Get-ConfigText '{"broken":"a\ud800b"}') }; Run = $manifestOf }
@{ Name = 'arrays of none and of one'; Setup = { Add-Image (Get-ConfigText -More '"arrays":{"none":[],"one":["x"],"number":[1],"object":[{"a":1}],"nested":[[1],[],[[2,3]]],"mixed":[1,"1",null,true,{}]},') }; Run = $manifestOf }
@{ Name = 'nulls'; Setup = { Add-Image (Get-ConfigText 'null' '"nulls":{"a":null,"list":[null],"two":[null,null]},"variant":null,') }; Run = $manifestOf }
@{ Name = 'nested objects'; Setup = { Add-Image (Get-ConfigText -More '"a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":{"i":"deep"}}}}}}}},"empty":{},"list":[{"k":{"l":[{"m":null}]}}],') }; Run = $manifestOf }
@{ Name = 'integers'; Setup = { Add-Image (Get-ConfigText -More '"numbers":[0,-1,1,2147483647,2147483648,-2147483649,9223372036854775807,9223372036854775808,-9223372036854775809,123456789012345678901234567890],') }; Run = $manifestOf }
@{ Name = 'floats'; Setup = { Add-Image (Get-ConfigText -More '"numbers":[0.0,-0.0,1.0,1.5,1e3,1E-7,0.1,3.141592653589793238,1e308,123456789.123456789],') }; Run = $manifestOf }
@{ Name = 'a float beyond a double'; Setup = { Add-Image (Get-ConfigText -More '"number":1e400,') }; Run = $manifestOf }
@{ Name = 'booleans'; Setup = { Add-Image (Get-ConfigText -More '"yes":true,"no":false,"text":"true","list":[true,false],') }; Run = $manifestOf }
@{ Name = 'a long string'; Setup = { Add-Image (Get-ConfigText "{`"long`":`"$('x' * 100000)`"}") }; Run = $manifestOf }
@{ Name = 'many labels'; Setup = { Add-Image (Get-ConfigText ('{' + ((1..30 | ForEach-Object { "`"label.$_`":`"$_`"" }) -join ',') + '}')) }; Run = $manifestOf }
@{ Name = 'the config''s own size and digest'; Setup = { Add-Image (Get-ConfigText -More '"mediaType":"mine","size":1,"digest":"mine",') }; Run = $manifestOf }
@{ Name = 'history and rootfs in other case'; Setup = { Add-Image '{"architecture":"amd64","os":"linux","History":[],"ROOTFS":{},"config":{"history":"stays","rootfs":"stays"}}' }; Run = $manifestOf }
@{ Name = 'names that a Hashtable has itself'; Setup = { Add-Image (Get-ConfigText '{"Count":"c","Keys":"k","Values":"v","IsReadOnly":"r"}') }; Run = { $m = & $manifestOf; $m; $m.config.Labels['Count']; $m.config.Labels.Count } }
@{ Name = 'names that differ only by case'; Setup = { Add-Image (Get-ConfigText '{"Version":"first","version":"second"}') }; Run = $manifestOf }
@{ Name = 'a name twice'; Setup = { Add-Image (Get-ConfigText '{"version":"first","version":"second"}') }; Run = $manifestOf }
@{ Name = 'an empty name'; Setup = { Add-Image (Get-ConfigText '{"":"nothing"}') }; Run = $manifestOf }
@{ Name = 'what callers do with it'; Setup = { Add-Image }; Run = {
        $m = & $manifestOf
        ($m.digest -split ':')[-1]; $m.ContainsKey('config'); $m.config.Labels.ContainsKey('com.example.distribution.uid'); (Get-Date $m.created).Year; $m.CONFIG.labels['COM.EXAMPLE.DISTRIBUTION.UID'] } }
@{ Name = 'a layer without media type'; Setup = { Add-Image -More @{ Manifest = @{ layers = @(@{ size = 5; digest = "sha256:$('a' * 64)" }) } } }; Run = $manifestOf }
@{ Name = 'several platforms'; Run = $manifestOf
    Setup = { Add-TestImage -Repository $repository -Platform @(foreach ($cpu in 'arm64', 'amd64', 's390x', 'unknown') {
                @{ platform = @{ os = $(if ($cpu -eq 'unknown') { $cpu } else { 'linux' }); architecture = $cpu }; layers = @(@{ text = "layer for $cpu" }); configText = "{`"architecture`":`"$cpu`",`"os`":`"linux`"}" } }) } }
@{ Name = 'a Windows image beside it'; Run = $manifestOf
    Setup = { Add-TestImage -Repository $repository -Platform @(foreach ($os in 'windows', 'linux') {
                @{ platform = @{ os = $os; architecture = 'amd64' }; layers = @(@{ text = "layer for $os" }); configText = "{`"architecture`":`"amd64`",`"os`":`"$os`"}" } }) } }
@{ Name = 'a manifest without an index'; Setup = { Add-Image -More @{ NoIndex = $true } }; Run = $manifestOf }

# What is missing, refused or broken on the way to the config.
@{ Name = 'missing tag'; Setup = { Add-Image }; Run = { & $getManifest -Registry $registry -ImageName $repository -Tag missing } }
@{ Name = 'missing tag, PowerShell 7''s exceptions'; Fetch = 'Core'; Setup = { Add-Image }; Run = { & $getImage -Registry $registry -ImageName $repository -Tag missing -DestinationFile $file } }
@{ Name = 'manifest refused, PowerShell 7''s exceptions'; Fetch = 'Core'; Setup = { Add-Image; Add-Route "/v2/$repository/manifests/latest" @(@{ status = 401 }) }; Run = { & $getManifest -AuthToken t -Registry $registry -ImageName $repository -Tag latest } }
@{ Name = 'token refused'; Setup = { Add-Image -More @{ Auth = @{ scheme = 'bearer'; deny = $true } } }; Run = $manifestOf }
@{ Name = 'a wrong token of the caller'; Setup = { Add-Image }; Run = { & $getManifest -AuthToken wrong -Registry $registry -ImageName $repository -Tag latest } }
@{ Name = 'manifest forbidden'; Setup = { Add-Image; Add-Route "/v2/$repository/manifests/latest" @(@{ status = 403 }) }; Run = { & $getManifest -AuthToken t -Registry $registry -ImageName $repository -Tag latest } }
@{ Name = 'a server error'; Setup = { Add-Image; Add-Route "/v2/$repository/manifests/latest" @(@{ status = 501 }) }; Run = { & $getManifest -AuthToken t -Registry $registry -ImageName $repository -Tag latest } }
@{ Name = 'no amd64'; Run = $manifestOf
    Setup = { Add-TestImage -Repository $repository -Platform @(@{ platform = @{ os = 'linux'; architecture = 'arm64' }; layers = @(@{ text = 'x' }) }) } }
@{ Name = 'several layers'; Setup = { Add-TestImage -Repository $repository -Layer @{ text = 'one' }, @{ text = 'two' } }; Run = $manifestOf }
@{ Name = 'an empty list of layers'; Setup = { Add-TestImage -Repository $repository -Manifest @{ layers = @() } }; Run = $manifestOf }
@{ Name = 'null for layers'; Setup = { Add-TestImage -Repository $repository -Manifest @{ layers = $null } }; Run = $manifestOf }
@{ Name = 'no layers at all'; Run = $manifestOf
    Setup = { Add-TestImage -Repository $repository -Platform @(@{ platform = @{ os = 'linux'; architecture = 'amd64' } }) } }
@{ Name = 'empty manifests'; Setup = { Add-Image -More @{ IndexOverrides = @{ manifests = @() } } }; Run = $manifestOf }
@{ Name = 'null manifests'; Setup = { Add-Image -More @{ IndexOverrides = @{ manifests = $null } } }; Run = $manifestOf }
@{ Name = 'the platform''s manifest missing'; Setup = { $i = Add-Image; Add-Route "/v2/$repository/manifests/$($i.Manifests[0])" @(@{ status = 404 }) }; Run = { & $getManifest -AuthToken (& $getToken $registry $repository) -Registry $registry -ImageName $repository -Tag latest } }
@{ Name = 'config missing'; Setup = { $i = Add-Image; Add-Route "/v2/$repository/blobs/$($i.Configs[0])" @(@{ status = 404 }) }; Run = $imageOf }
@{ Name = 'config refused'; Setup = { $i = Add-Image; Add-Route "/v2/$repository/blobs/$($i.Configs[0])" @(@{ status = 401 }) }; Run = $manifestOf }
@{ Name = 'an index that is no JSON'; Setup = { Add-Image; Add-Route "/v2/$repository/manifests/latest" @(@{ status = 200; headers = @{ 'Content-Type' = 'text/html' }; body = '<html>hello</html>' }) }; Run = { & $getManifest -AuthToken t -Registry $registry -ImageName $repository -Tag latest } }
@{ Name = 'a config that is no JSON'; Setup = { Add-Image 'not JSON' }; Run = $manifestOf }
@{ Name = 'a config that is an array'; Setup = { Add-Image '[1,2]' }; Run = $manifestOf }
@{ Name = 'no registry there'; Setup = { }; Run = { & $getManifest -Registry $closed -ImageName a/b -Tag latest } }
@{ Name = 'no registry there, with a token'; Setup = { }; Run = { & $getManifest -AuthToken t -Registry $closed -ImageName a/b -Tag latest } }
@{ Name = 'an empty image name'; Setup = { }; Run = { & $getManifest -Registry $registry -ImageName '' -Tag latest } }
@{ Name = 'an empty tag'; Setup = { }; Run = { & $getImage -Registry $registry -ImageName a/b -Tag '' -DestinationFile $file } }
@{ Name = 'an image name in capitals'; Setup = { }; Run = { & $getManifest -AuthToken t -Registry $registry -ImageName A/B -Tag latest } }

# Tokens.
@{ Name = 'a token'; Setup = { Add-Image }; Run = { $t = & $tokenOf; $t.GetType().FullName; $t -is [string] -and $t.Length -gt 0 } }
@{ Name = 'a token by position'; Setup = { Add-Image }; Run = { (& $getToken $registry $repository).Length -gt 0 } }
@{ Name = 'a token by abbreviated names'; Setup = { Add-Image }; Run = { (& $getToken -Reg $registry -Rep $repository).Length -gt 0 } }
@{ Name = 'the token as the service wrote it'; Setup = { Add-Image; Add-Route '/token' @(@{ status = 200; headers = @{ 'Content-Type' = 'application/json' }; body = '{"token":"a.b-c_d~e+f/g==","expires_in":300}' }) }; Run = $tokenOf }
@{ Name = 'both names of a token'; Setup = { Add-Image; Add-Route '/token' @(@{ status = 200; body = '{"access_token":"second","token":"first"}' }) }; Run = $tokenOf }
@{ Name = 'access_token only'; Setup = { Add-Image -More @{ Auth = @{ scheme = 'bearer'; anonymous = $true; tokenField = 'access_token' } } }; Run = { $t = & $tokenOf; "[$(if ($t) { 'a token' })]" } }
@{ Name = 'an image where the token is access_token'; Setup = { Add-Image -More @{ Auth = @{ scheme = 'bearer'; anonymous = $true; tokenField = 'access_token' } } }; Run = $imageOf }
@{ Name = 'token service refuses'; Setup = { Add-Image -More @{ Auth = @{ scheme = 'bearer'; deny = $true } } }; Run = $tokenOf }
@{ Name = 'token service forbids'; Setup = { Add-Image -More @{ Auth = @{ scheme = 'bearer'; deny = $true; denyStatus = 403 } } }; Run = $tokenOf }
@{ Name = 'token service missing'; Setup = { Add-Image; Add-Route '/token' @(@{ status = 404; body = 'nothing here' }) }; Run = $tokenOf }
@{ Name = 'token service broken'; Setup = { Add-Image; Add-Route '/token' @(@{ status = 501 }) }; Run = $tokenOf }
@{ Name = 'a token that is no JSON'; Setup = { Add-Image; Add-Route '/token' @(@{ status = 200; body = 'hello {' }) }; Run = $tokenOf }
@{ Name = 'an answer without a token'; Setup = { Add-Image; Add-Route '/token' @(@{ status = 200; body = '{"details":"none today"}' }) }; Run = $imageOf }
@{ Name = 'a token answer without one'; Setup = { Add-Image; Add-Route '/token' @(@{ status = 200; body = '{"details":"none today"}' }) }; Run = $tokenOf }
@{ Name = 'an image of a registry that is no host'; Setup = { }; Run = { & $getImage -Registry 'no host' -ImageName a/b -Tag latest -DestinationFile $file } }
@{ Name = 'a tag that is none'; Setup = { Add-Image }; Run = { & $getImage -Registry $registry -ImageName $repository -Tag 'no tag' -DestinationFile $file } }
@{ Name = 'a registry that asks for no token'; Setup = { Add-Image -More @{ Auth = @{ scheme = 'none' } }; Add-Route '/token' @(@{ status = 404 }) }; Run = $tokenOf }
@{ Name = 'an image where no token is asked for'; Setup = { Add-Image -More @{ Auth = @{ scheme = 'none' } }; Add-Route '/token' @(@{ status = 404 }) }; Run = $imageOf }
@{ Name = 'no registry at all'; Setup = { }; Run = { & $getToken } }
@{ Name = 'a token from nowhere'; Setup = { }; Run = { & $getToken -Registry $closed -Repository a/b } }

# Files.
@{ Name = 'an image'; Setup = { Add-Image }; Run = $imageOf }
@{ Name = 'an image by position'; Setup = { Add-Image }; Run = { & $getImage $repository latest $file $registry } }
@{ Name = 'an image by abbreviated names'; Setup = { Add-Image }; Run = { & $getImage -Image $repository -Tag latest -Dest $file -Reg $registry } }
@{ Name = 'an image by digest'; Setup = { Add-Image }; Run = { & $getImage -Image $repository -Tag $image.Index -DestinationFile $file -Registry $registry } }
@{ Name = 'an image of 1024 bytes'; Setup = { Add-Sized 1024 }; Run = $imageOf }
@{ Name = 'an image of 1025 bytes'; Setup = { Add-Sized 1025 }; Run = $imageOf }
@{ Name = 'an image of 1.5 MB'; Setup = { Add-Sized 1572864 }; Run = $imageOf }
@{ Name = 'an image where decimals have a comma'; Setup = { Add-Sized 1234567 }
    Run = { $now = [cultureinfo]::CurrentCulture; [cultureinfo]::CurrentCulture = 'de-DE'; try { & $imageOf } finally { [cultureinfo]::CurrentCulture = $now } } }
@{ Name = 'an image of a size with thousands'; Setup = { Add-TestImage -Repository $repository -Layer @{ text = 'small'; size = 3298534883328 } }; Run = $imageOf }
@{ Name = 'a folder that is not there'; Setup = { Add-Image }; Run = { & $getImage -Registry $registry -ImageName $repository -Tag latest -DestinationFile (Join-Path (Join-Path $folder 'a') (Join-Path 'b' 'c.tar.gz')) } }
@{ Name = 'over a shorter file'; Setup = { Add-Image }; Run = { [IO.File]::WriteAllText($file, 'old'); & $imageOf } }
@{ Name = 'over a longer file'; Setup = { Add-Image }; Run = { [IO.File]::WriteAllText($file, 'old' * 100); & $imageOf } }
@{ Name = 'a relative file'; Setup = { Add-Image }; Run = { & $getImage -Registry $registry -ImageName $repository -Tag latest -DestinationFile 'relative.tar.gz' } }
@{ Name = 'a folder in place of the file'; Setup = { Add-Image }; Run = { $null = New-Item -ItemType Directory -Path $file; & $imageOf } }
@{ Name = 'an image of no bytes'; Setup = { Add-TestImage -Repository $repository -Layer @{ text = '' } }; Run = $imageOf }
@{ Name = 'layer served from elsewhere'; Setup = { $i = Add-Image; Add-TestBlob "$repository/elsewhere" @{ text = 'a root filesystem' }; Set-TestAuth "$repository/elsewhere" @{ scheme = 'none' }
        Add-Route $i.BlobPath @(@{ status = 307; headers = @{ Location = "/v2/$repository/elsewhere/blobs/$($i.Digest)" } }) }; Run = $imageOf }
@{ Name = 'layer of unknown length'; Setup = { $i = Add-Image; Add-Route $i.BlobPath @(@{ pass = $true; chunked = $true }) }; Run = $imageOf }
@{ Name = 'image: missing tag'; Setup = { Add-Image }; Run = { & $getImage -Registry $registry -ImageName $repository -Tag missing -DestinationFile $file } }
@{ Name = 'image: token refused'; Setup = { Add-Image -More @{ Auth = @{ scheme = 'bearer'; deny = $true } } }; Run = $imageOf }
@{ Name = 'image: no amd64'; Run = $imageOf
    Setup = { Add-TestImage -Repository $repository -Platform @(@{ platform = @{ os = 'linux'; architecture = 'arm64' }; layers = @(@{ text = 'x' }) }) } }
@{ Name = 'image: several layers'; Setup = { Add-TestImage -Repository $repository -Layer @(Get-ThreeLayer) }; Run = $imageOf }
@{ Name = 'image: a layer with a whiteout'; Setup = { Add-TestImage -Repository $repository -Layer (New-Layer ((Get-RootEntry) + @(@{ Name = 'etc/.wh.gone' }))) }; Run = $imageOf }
@{ Name = 'image: a layer that is not compressed'; Setup = { Add-TestImage -Repository $repository -Layer (New-Layer (Get-RootEntry) -Plain) }; Run = $imageOf }
@{ Name = 'image: a root filesystem'; Setup = { Add-TestImage -Repository $repository -Layer (New-Layer (Get-RootEntry)) }; Run = $imageOf }
@{ Name = 'image: a layer of another DiffID'; Setup = { Add-Image ((Get-ConfigText) -replace 'sha256:f8e7\w+', "sha256:$('a' * 64)") }; Run = $imageOf }
@{ Name = 'image: no layers'; Setup = { Add-TestImage -Repository $repository -Manifest @{ layers = @() } }; Run = $imageOf }
@{ Name = 'image: no registry there'; Setup = { }; Run = { & $getImage -Registry $closed -ImageName a/b -Tag latest -DestinationFile $file } }
@{ Name = 'layer missing'; Setup = { $i = Add-Image; Add-Route $i.BlobPath @(@{ status = 404 }) }; Run = $imageOf }
@{ Name = 'layer refused'; Setup = { $i = Add-Image; Add-Route $i.BlobPath @(@{ status = 401 }) }; Run = $imageOf }
@{ Name = 'layer forbidden'; Setup = { $i = Add-Image; Add-Route $i.BlobPath @(@{ status = 403 }) }; Run = $imageOf }
@{ Name = 'layer cut'; Setup = { $i = Add-Image; Add-Route $i.BlobPath @(@{ pass = $true; cutAfter = 5 }) }; Run = $imageOf }
@{ Name = 'another layer than promised'; Setup = { $i = Add-Image; Add-Route $i.BlobPath @(@{ status = 200; body = 'A ROOT FILESYSTEM' }) }; Run = $imageOf }
