# What registries and networks do to a download, and what the user gets all the same.
BeforeDiscovery {
    $onUnix = [IO.Path]::DirectorySeparatorChar -eq '/'
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'TestRegistry.psm1')
    Import-Module (Join-Path $PSScriptRoot 'Engine.psm1')
    Import-Module $env:WSLIMAGE_MODULE
    $registry = Get-TestRegistry
    $at = @{ Registry = $registry.Https; CACertificatePath = $registry.Ca }
    $megabyte = 1048576

    function Add-Large([int] $Size = 3000001, [System.Collections.IDictionary] $Auth = @{ scheme = 'bearer'; anonymous = $true }) {
        Add-TestImage -Layer @{ base64 = [Convert]::ToBase64String((Get-SampleByte $Size)) } -Auth $Auth
    }

    # The layer in $file, fetched once.
    function Get-Layer($Image, [System.Collections.IDictionary] $More = @{}) {
        Get-DockerImage -ImageName $Image.Repository -DestinationFile $file @at @More 6>$null
    }

    function Assert-Layer($Image, [string] $Hash) {
        $Hash | Should -BeExactly $Image.Hex
        (Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash | Should -Be $Image.Hex
        Get-FolderContent $folder | Should -Be @('rootfs.tar.gz')
    }

    function Get-Range($Image) { foreach ($request in (Get-TestLog -Path $Image.BlobPath)) { "$($request.headers.range)" } }
}

Describe 'A download' {
    BeforeEach {
        $folder = (New-Item -ItemType Directory -Path (Join-Path $TestDrive ([guid]::NewGuid().ToString('N')))).FullName
        $file = Join-Path $folder 'rootfs.tar.gz'
    }

    It 'goes on after <What>' -ForEach @(
        @{ What = 'a cut'; Steps = @(@{ pass = $true; cutAfter = 1048576 }, @{ pass = $true }); Ranges = @('', 'bytes=1048576-') }
        @{ What = 'a cut without a length'; Steps = @(@{ pass = $true; chunked = $true; cutAfter = 1048576 }, @{ pass = $true }); Ranges = @('', 'bytes=1048576-') }
        @{ What = 'two cuts'; Steps = @(@{ pass = $true; cutAfter = 1048576 }, @{ pass = $true; cutAfter = 1048576 }, @{ pass = $true }); Ranges = @('', 'bytes=1048576-', 'bytes=2097152-') }
        @{ What = 'a cut, and 503 in between'; Steps = @(@{ pass = $true; cutAfter = 1048576 }, @{ status = 503; headers = @{ 'Retry-After' = '0' } }, @{ pass = $true }); Ranges = @('', 'bytes=1048576-', 'bytes=1048576-') }
        @{ What = 'a cut by a server that ignores ranges'; Steps = @(@{ pass = $true; cutAfter = 1048576 }, @{ pass = $true; ignoreRange = $true }); Ranges = @('', 'bytes=1048576-') }
        @{ What = 'a cut by a server that sends another part'; Steps = @(@{ pass = $true; cutAfter = 1048576 }, @{ pass = $true; rangeShift = 10 }, @{ pass = $true }); Ranges = @('', 'bytes=1048576-', '') }
        @{ What = 'a cut, and 416'; Steps = @(@{ pass = $true; cutAfter = 1048576 }, @{ pass = $true; rangeStatus = 416 }, @{ pass = $true }); Ranges = @('', 'bytes=1048576-', '') }
        @{ What = 'too many requests'; Steps = @(@{ status = 429; headers = @{ 'Retry-After' = '0' } }, @{ pass = $true }); Ranges = @('', '') }
        @{ What = 'wrong bytes'; Steps = @(@{ status = 200; body = 'x' * 3000001 }, @{ pass = $true }); Ranges = @('', '') }) {
        $image = Add-Large
        Add-TestRoute $image.BlobPath $Steps
        Assert-Layer $image (Get-Layer $image @{ MaximumRetryCount = 2 })
        @(Get-Range $image) | Should -BeExactly $Ranges
    }

    It 'is tried again with a verbose line, and a stall ends in time' {
        $image = Add-Large
        Add-TestRoute $image.BlobPath @(@{ pass = $true; stallAfter = 2097152 }, @{ pass = $true })
        $run = Invoke-Engine 'Get-DockerImage @given -Verbose' @{ given = @{ ImageName = $image.Repository; DestinationFile = $file; OperationTimeoutSeconds = 1; MaximumRetryCount = 1 } + $at }
        $run.ErrorRecord | Should -BeNullOrEmpty
        Assert-Layer $image $run.Output[-1]
        @($run.Verbose) -match 'no byte from .* in time\. Going on at once' | Should -Not -BeNullOrEmpty
        @(Get-Range $image) | Should -BeExactly @('', 'bytes=2097152-')
    }

    It 'is kept after <What>, and the next call goes on with it' -ForEach @(@{ What = '403'; Last = @{ status = 403 } }, @{ What = 'a cut'; Last = @{ closeBeforeResponse = $true } }) {
        $image = Add-Large
        Add-TestRoute $image.BlobPath @(@{ pass = $true; cutAfter = 2097152 }, $Last)
        $failure = Get-Failure { Get-Layer $image @{ MaximumRetryCount = 1 } }
        $failure.Exception | Should -BeOfType ([WslImageDownloadException])
        Get-FolderContent $folder | Sort-Object | Should -Be @('rootfs.tar.gz.partial', 'rootfs.tar.gz.partial.digest')
        (Get-Item -LiteralPath "$file.partial").Length | Should -Be 2097152
        Remove-TestRoute $image.BlobPath
        $run = Invoke-Engine 'Get-DockerImage @given' @{ given = @{ ImageName = $image.Repository; DestinationFile = $file } + $at }
        Assert-Layer $image $run.Output[-1]
        @(Get-Range $image)[-1] | Should -BeExactly 'bytes=2097152-'
        @($run.Progress | Where-Object { $_.PercentComplete -eq 100 }) | Should -Not -BeNullOrEmpty
    }

    It 'is kept after Ctrl+C, and the next call goes on with it' {
        $image = Add-Large
        Add-TestRoute $image.BlobPath @(@{ pass = $true; stallAfter = 2097152 })
        $shell = New-Engine 'Get-DockerImage @given' @{ given = @{ ImageName = $image.Repository; DestinationFile = $file } + $at }
        try {
            $null = $shell.BeginInvoke()
            Wait-TestRequest $image.BlobPath
            while (-not ((Test-Path -LiteralPath "$file.partial") -and (Get-Item -LiteralPath "$file.partial").Length -ge $megabyte)) { [Threading.Thread]::Yield() | Out-Null }
            $shell.Stop()
        }
        finally { $shell.Runspace.Dispose(); $shell.Dispose() }
        Test-Path -LiteralPath $file | Should -BeFalse
        Remove-TestRoute $image.BlobPath
        Assert-Layer $image (Get-Layer $image)
        @(Get-Range $image)[-1] | Should -Match '^bytes=\d{7}-$'
    }

    It 'of another image does not use what was kept' {
        $other, $image = (Add-Large 2000001), (Add-Large)
        Add-TestRoute $other.BlobPath @(@{ pass = $true; cutAfter = 1500000 }, @{ status = 403 })
        $null = Get-Failure { Get-Layer $other @{ MaximumRetryCount = 1 } }
        Test-Path -LiteralPath "$file.partial" | Should -BeTrue
        Assert-Layer $image (Get-Layer $image)
        @(Get-Range $image) | Should -BeExactly @('')
    }

    It 'is made once when two processes want the same file' {
        $image = Add-Large
        # Until the other one is seen to wait.
        Add-TestRoute $image.BlobPath @(@{ pass = $true; stallAfter = 2097152 })
        $script = 'Get-DockerImage @given -Verbose -MaximumRetryCount 1'
        $given = @{ given = @{ ImageName = $image.Repository; DestinationFile = $file } + $at }
        $shells = @(1, 2 | ForEach-Object { New-Engine $script $given })
        try {
            $runs = @(foreach ($shell in $shells) { , @($shell, $shell.BeginInvoke()) })
            function Get-Waiting { $shells | ForEach-Object { $_.Streams.Verbose } | Where-Object { $_.Message -like 'Waiting for another process*' } }
            [System.Threading.SpinWait]::SpinUntil({ [bool] (Get-Waiting) }, 60000) | Should -BeTrue
            Remove-TestRoute $image.BlobPath
            foreach ($run in $runs) { $run[0].EndInvoke($run[1]) | Should -BeExactly $image.Hex }
            @(Get-Waiting).Count | Should -Be 1
        }
        finally { foreach ($shell in $shells) { $shell.Runspace.Dispose(); $shell.Dispose() } }
        @(Get-Range $image) | Should -BeExactly @('', 'bytes=2097152-')
        Assert-Layer $image $image.Hex
    }

    It 'comes over <Connections> where each is slow' -ForEach @(@{ Connections = 'several connections'; Count = 6; More = $true }, @{ Connections = 'one connection'; Count = 1; More = $false }) {
        $image = Add-Large (16 * $megabyte)
        Add-TestRoute $image.BlobPath @(@{ pass = $true; bytesPerSecond = 5000000 })
        Assert-Layer $image (Get-Layer $image @{ MaximumConnectionCount = $Count })
        (@(Get-TestLog -Path $image.BlobPath | Select-Object -ExpandProperty connection -Unique).Count -gt 1) | Should -Be $More
    }

    It 'that is limited says the limit, and what helps' {
        $image = Add-Large 10
        Add-TestRoute $image.ManifestPath @(@{ status = 429; headers = @{ 'ratelimit-limit' = '100;w=21600'; 'ratelimit-remaining' = '0;w=21600'; 'Retry-After' = '3600' } })
        $failure = Get-Failure { Get-Layer $image @{ MaximumRetryCount = 5 } }
        $failure.CategoryInfo.Category | Should -Be 'LimitsExceeded'
        $failure.Exception.Message | Should -Match 'limit 100 per 6 h, 0 left'
        $failure.ErrorDetails.RecommendedAction + $failure.Exception.Message | Should -Match 'sign in.*mirror'
    }

    It 'renews a token that ends in the middle' {
        $image = Add-Large
        Add-TestRoute $image.BlobPath @(@{ pass = $true; cutAfter = 2097152; expireTokens = $true }, @{ pass = $true })
        Assert-Layer $image (Get-Layer $image @{ MaximumRetryCount = 1 })
        @(Get-TestLog -Path $image.BlobPath | ForEach-Object { $_.status }) | Should -Be @(200, 401, 206)
    }

    It 'follows a redirect to <Where> without the token' -ForEach @(@{ Where = 'a CDN'; To = 'cdn' }, @{ Where = 'another port'; To = 'sameHostOtherPort' }) {
        $image = Add-Large
        Set-TestOption $image.Repository @{ redirectBlobs = @{ to = $To } }
        Assert-Layer $image (Get-Layer $image)
        $there = @(Get-TestLog -Path "/cdn/$($image.Repository)/")
        $there.Count | Should -BeGreaterThan 0
        $there | ForEach-Object { $_.headers.authorization | Should -BeNullOrEmpty }
    }

    It 'never shows a signed address' {
        $image = Add-Large
        Set-TestOption $image.Repository @{ redirectBlobs = @{ to = 'cdn' } }
        Add-TestRoute "/cdn/$($image.Repository)/*" @(@{ status = 500 })
        $run = Invoke-Engine 'Get-DockerImage @given -Verbose' @{ given = @{ ImageName = $image.Repository; DestinationFile = $file } + $at }
        "$($run.Exception) $($run.Verbose)" | Should -Not -Match 'signature='
        $run.Exception.Message | Should -Match '500'
    }

    It 'goes through a proxy, <What>' -ForEach @(@{ What = 'without a login'; Login = $false }, @{ What = 'with one'; Login = $true }) {
        $image = Add-Large 1000
        $proxy = Add-TestProxy $(if ($Login) { @{ username = 'user'; password = 'Pr0xy' } } else { @{} })
        $more = @{ Proxy = "http://$proxy" }
        if ($Login) {
            $failure = Get-Failure { Get-Layer $image $more }
            $failure.FullyQualifiedErrorId | Should -BeLike 'ProxyFailed,*'
            $failure.Exception.Message | Should -Match "the proxy $([regex]::Escape($proxy)) wants a login"
            $more.ProxyCredential = New-Object pscredential 'user', (ConvertTo-SecureString 'Pr0xy' -AsPlainText -Force)
        }
        Assert-Layer $image (Get-Layer $image $more)
    }

    It 'tells a proxy''s 502 from the registry''s' {
        $image = Add-Large 1000
        $proxy = Add-TestProxy @{ status = 502 }
        (Get-Failure { Get-Layer $image @{ Proxy = "http://$proxy" } }).FullyQualifiedErrorId | Should -BeLike 'ProxyFailed,*'
        Add-TestRoute $image.ManifestPath @(@{ status = 502 })
        (Get-Failure { Get-Layer $image }).FullyQualifiedErrorId | Should -Not -BeLike 'ProxyFailed,*'
    }

    It 'leaves a mirror that fails, with a verbose line' {
        $image = Add-Large
        $mirror = "$($registry.Https)/nothing"
        $run = Invoke-Engine 'Get-DockerImage @given -Verbose' @{ given = @{ ImageName = $image.Repository; DestinationFile = $file; Mirror = $mirror } + $at }
        Assert-Layer $image $run.Output[-1]
        @($run.Verbose) -like "The mirror $mirror/* is left for the next: *" | Should -Not -BeNullOrEmpty
    }

    It 'follows registries.conf: <What>' -ForEach @(@{ What = 'a mirror'; Blocked = $false }, @{ What = 'a block'; Blocked = $true }) {
        $image = Add-Large
        $conf = Join-Path $TestDrive "$([guid]::NewGuid()).conf"
        $text = if ($Blocked) { "[[registry]]`nlocation = `"registry.invalid`"`nblocked = true`n" } else { "[[registry]]`nlocation = `"registry.invalid`"`n[[registry.mirror]]`nlocation = `"$($registry.Https)`"`n" }
        [IO.File]::WriteAllText($conf, $text)
        Invoke-With @{ CONTAINERS_REGISTRIES_CONF = $conf } {
            $get = { Get-DockerImage -ImageName "registry.invalid/$($image.Repository)" -DestinationFile $file -CACertificatePath $registry.Ca 6>$null }
            if ($Blocked) { (Get-Failure $get).Exception.Message | Should -Match 'is blocked by' } else { Assert-Layer $image (& $get) }
        }
    }

    It 'asks a credential helper for the login' -Skip:(-not $onUnix) {
        $image = Add-Large 1000 @{ scheme = 'basic'; username = 'helped'; password = 'Secr3t' }
        $bin = (New-Item -ItemType Directory -Path (Join-Path $TestDrive ([guid]::NewGuid().ToString('N')))).FullName
        $helper = Join-Path $bin 'docker-credential-mine'
        [IO.File]::WriteAllText($helper, "#!/bin/sh`nread server`nprintf '{`"ServerURL`":`"%s`",`"Username`":`"helped`",`"Secret`":`"Secr3t`"}' `"`$server`"`n")
        chmod 755 $helper
        [IO.File]::WriteAllText((Join-Path $bin 'config.json'), "{`"credHelpers`":{`"$($registry.Https)`":`"mine`"}}")
        Invoke-With @{ DOCKER_CONFIG = $bin; PATH = "$bin$([IO.Path]::PathSeparator)$env:PATH" } { Assert-Layer $image (Get-Layer $image) }
    }

    It 'signs in with docker''s identity token' {
        $image = Add-Large 1000 @{ scheme = 'bearer'; identityToken = '1dentity' }
        $docker = (New-Item -ItemType Directory -Path (Join-Path $TestDrive ([guid]::NewGuid().ToString('N')))).FullName
        [IO.File]::WriteAllText((Join-Path $docker 'config.json'), "{`"auths`":{`"$($registry.Https)`":{`"auth`":`"eDp5`",`"identitytoken`":`"1dentity`"}}}")
        Invoke-With @{ DOCKER_CONFIG = $docker } { Assert-Layer $image (Get-Layer $image) }
    }

    It 'gives up a server that never shakes hands after -ConnectionTimeoutSeconds' {
        $listener = New-Object System.Net.Sockets.TcpListener ([System.Net.IPAddress]::Loopback), 0
        $listener.Start()
        try {
            $failure = Get-Failure { Get-DockerImage -ImageName a/b -DestinationFile $file -Registry "127.0.0.1:$($listener.LocalEndpoint.Port)" -ConnectionTimeoutSeconds 1 6>$null }
            $failure.FullyQualifiedErrorId | Should -BeLike 'TimedOut,*'
        }
        finally { $listener.Stop() }
    }
}
