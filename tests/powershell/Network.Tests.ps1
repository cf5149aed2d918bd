# The parameters by which a registry is reached: certificates, plain http, logins.
BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'TestRegistry.psm1')
    Import-Module (Join-Path $PSScriptRoot 'Engine.psm1')
    Import-Module $env:WSLIMAGE_MODULE
    $registry = Get-TestRegistry
    $at = @{ Registry = $registry.Https; CACertificatePath = $registry.Ca }
    function New-Login([string] $User, [string] $Password) { New-Object pscredential $User, (ConvertTo-SecureString $Password -AsPlainText -Force) }
}

Describe 'Certificates' {
    BeforeAll { $image = Add-TestImage }

    It 'are checked, and one that nobody vouches for ends <Command>' -ForEach @(@{ Command = 'Get-DockerImage' }, @{ Command = 'Get-DockerImageManifest' }, @{ Command = 'Get-DockerAuthToken' }) {
        $given = @{ Registry = $registry.Https }
        if ($Command -eq 'Get-DockerAuthToken') { $given.Repository = $image.Repository } else { $given.ImageName = $image.Repository; $given.Tag = 'latest' }
        if ($Command -eq 'Get-DockerImage') { $given.DestinationFile = Join-Path $TestDrive 'unchecked.tar.gz' }
        $failure = Get-Failure { & $Command @given }
        $failure.Exception | Should -BeOfType ([WslImageDownloadException])
        $failure.Exception.Message | Should -BeLike 'Failed to get authentication token: *'
        $failure.Exception.Message | Should -Match 'certificate'
        Test-Path (Join-Path $TestDrive 'unchecked.tar.gz') | Should -BeFalse
    }

    It 'of an own authority are taken from a file, named as PowerShell names files' {
        Copy-Item -LiteralPath $registry.Ca -Destination (Join-Path $TestDrive 'authority.pem')
        Push-Location -LiteralPath $TestDrive
        try { Get-DockerAuthToken -Registry $registry.Https -Repository $image.Repository -CACertificatePath 'authority.pem' | Should -Not -BeNullOrEmpty } finally { Pop-Location }
        Get-DockerAuthToken -Registry $registry.Https -Repository $image.Repository -CACertificatePath 'TestDrive:\authority.pem' | Should -Not -BeNullOrEmpty
    }

    It 'are not looked at with -SkipCertificateCheck' {
        Get-DockerAuthToken -Registry $registry.Https -Repository $image.Repository -SkipCertificateCheck | Should -Not -BeNullOrEmpty
    }

    It 'file: <What> is said' -ForEach @(@{ What = 'one that is not there'; Text = $null }, @{ What = 'one that holds none'; Text = 'no certificate' }) {
        $file = Join-Path $TestDrive 'broken.pem'
        if ($Text) { [IO.File]::WriteAllText($file, $Text) } elseif (Test-Path $file) { Remove-Item $file }
        $failure = Get-Failure { Get-DockerAuthToken -Registry $registry.Https -Repository $image.Repository -CACertificatePath $file }
        $failure.CategoryInfo.Category | Should -BeIn @('InvalidArgument', 'ObjectNotFound', 'OpenError')
        $failure.Exception.Message | Should -Match ([regex]::Escape('broken.pem'))
    }
}

Describe 'Plain http' {
    It 'is used for a registry on loopback without being asked' {
        $image = Add-TestImage
        Get-DockerImage -ImageName $image.Repository -Tag latest -DestinationFile (Join-Path $TestDrive 'plain.tar.gz') -Registry $registry.Http 6>$null | Should -BeExactly $image.Hex
        @(Get-TestLog -Repository $image.Repository | ForEach-Object { $_.listener } | Sort-Object -Unique) | Should -Be @('http')
    }

    It 'is used with -PlainHttp' {
        $image = Add-TestImage
        (Get-DockerImageManifest -ImageName $image.Repository -Tag latest -Registry $registry.Http -PlainHttp 6>$null).digest | Should -BeExactly $image.Digest
    }

    It 'carries no password unless -PlainHttp asks for it' {
        $image = Add-TestImage -Auth @{ scheme = 'basic'; username = 'somebody'; password = 'Secr3t' }
        $login = New-Login 'somebody' 'Secr3t'
        $failure = Get-Failure { Get-DockerImageManifest -ImageName $image.Repository -Tag latest -Registry $registry.Http -Credential $login }
        $failure.Exception | Should -BeOfType ([WslImageDownloadException])
        foreach ($request in @(Get-TestLog -Repository $image.Repository)) { $request.headers.PSObject.Properties.Name | Should -Not -Contain 'authorization' }
        (Get-DockerImageManifest -ImageName $image.Repository -Tag latest -Registry $registry.Http -Credential $login -PlainHttp 6>$null).digest | Should -BeExactly $image.Digest
    }
}

Describe 'A login' {
    It 'opens a token service that wants one' {
        $image = Add-TestImage -Auth @{ scheme = 'bearer'; anonymous = $false; username = 'somebody'; password = 'Secr3t: word' }
        $login = New-Login 'somebody' 'Secr3t: word'
        $token = Get-DockerAuthToken -Repository $image.Repository -Credential $login @at
        (Get-DockerImageManifest -AuthToken $token -ImageName $image.Repository -Tag latest @at 6>$null).digest | Should -BeExactly $image.Digest
        (Get-DockerImageManifest -ImageName $image.Repository -Tag latest -Credential $login @at 6>$null).digest | Should -BeExactly $image.Digest
        Get-DockerImage -ImageName $image.Repository -Tag latest -DestinationFile (Join-Path $TestDrive 'token.tar.gz') -Credential $login @at 6>$null | Should -BeExactly $image.Hex
    }

    It 'opens a registry that wants Basic, and the token is nothing then' {
        $image = Add-TestImage -Auth @{ scheme = 'basic'; username = 'somebody'; password = "p$([char] 0xE4)ss" }
        $login = New-Login 'somebody' "p$([char] 0xE4)ss"
        Get-DockerImage -ImageName $image.Repository -Tag latest -DestinationFile (Join-Path $TestDrive 'basic.tar.gz') -Credential $login @at 6>$null | Should -BeExactly $image.Hex
        @(Get-DockerAuthToken -Repository $image.Repository -Credential $login @at).Count | Should -Be 0
    }

    It 'that is <What> is refused by <Scheme>' -ForEach @(
        @{ What = 'wrong'; Scheme = 'bearer'; Given = $true }, @{ What = 'missing'; Scheme = 'bearer'; Given = $false }
        @{ What = 'wrong'; Scheme = 'basic'; Given = $true }, @{ What = 'missing'; Scheme = 'basic'; Given = $false }) {
        $auth = @{ scheme = $Scheme; username = 'somebody'; password = 'Secr3t' }
        if ($Scheme -eq 'bearer') { $auth.anonymous = $false }
        $image = Add-TestImage -Auth $auth
        $more = if ($Given) { @{ Credential = (New-Login 'somebody' 'Wr0ng') } } else { @{} }
        $file = Join-Path $TestDrive 'refused.tar.gz'
        $failure = Get-Failure { Get-DockerImage -ImageName $image.Repository -Tag latest -DestinationFile $file @more @at }
        $failure.Exception | Should -BeOfType ([WslImageDownloadException])
        $failure.Exception.Message | Should -Match '^(Failed to get authentication token: |Access denied to registry\. The image may not exist or authentication failed\.)'
        $failure.Exception.ToString() | Should -Not -Match 'Wr0ng'
        Test-Path -LiteralPath $file | Should -BeFalse
    }
}

Describe 'The environment' {
    It 'is that of $env:, as it is when the command runs' {
        $image = Add-TestImage -Auth @{ scheme = 'basic'; username = 'somebody'; password = 'Secr3t' }
        $folder = Join-Path $TestDrive 'docker'
        $null = New-Item -ItemType Directory -Path $folder
        $auth = [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes('somebody:Secr3t'))
        [IO.File]::WriteAllText((Join-Path $folder 'config.json'), "{`"auths`":{`"$($registry.Https)`":{`"auth`":`"$auth`"}}}")
        $failure = Get-Failure { Get-DockerImageManifest -ImageName $image.Repository @at }
        $failure.FullyQualifiedErrorId | Should -BeLike 'Unauthorized,*'
        $before = $env:DOCKER_CONFIG
        $env:DOCKER_CONFIG = $folder
        try { (Get-DockerImageManifest -ImageName $image.Repository @at 6>$null).digest | Should -BeExactly $image.Digest } finally { $env:DOCKER_CONFIG = $before }
    }
}

Describe 'A mirror' {
    It 'is asked in the registry''s place' {
        $image = Add-TestImage
        $given = @{ ImageName = "registry.invalid/$($image.Repository)"; Mirror = $registry.Https; CACertificatePath = $registry.Ca }
        Get-DockerImage @given -DestinationFile (Join-Path $TestDrive 'mirror.tar.gz') 6>$null | Should -BeExactly $image.Hex
        Get-DockerImageTag @given | Should -BeExactly 'latest'
    }
}

Describe 'A proxy' {
    It 'that is not there is said, and which it is' {
        $proxy = Get-ClosedAddress
        $failure = Get-Failure { Get-DockerAuthToken -Registry registry.invalid -Repository a/b -Proxy "http://$proxy" -MaximumRetryCount 0 }
        $failure.FullyQualifiedErrorId | Should -BeLike 'ProxyFailed,*'
        $failure.CategoryInfo.Category | Should -Be 'ConnectionError'
        $failure.Exception.Message | Should -Match ([regex]::Escape($proxy))
    }

    It 'is not used with -NoProxy' {
        Invoke-With @{ HTTPS_PROXY = "http://$(Get-ClosedAddress)"; NO_PROXY = $null } {
            # Not loopback, to which no variable leads through a proxy, and reserved for documentation (RFC 5737).
            $given = @{ Registry = '192.0.2.1'; Repository = 'a/b'; MaximumRetryCount = 0; ConnectionTimeoutSeconds = 1 }
            (Get-Failure { Get-DockerAuthToken @given }).FullyQualifiedErrorId | Should -BeLike 'ProxyFailed,*'
            (Get-Failure { Get-DockerAuthToken @given -NoProxy }).FullyQualifiedErrorId | Should -Not -BeLike 'ProxyFailed,*'
        }
    }
}

Describe 'What fails by chance' {
    It 'is tried again as often as -MaximumRetryCount says' -ForEach @(@{ Count = 0 }, @{ Count = 1 }) {
        $image = Add-TestImage -Auth @{ scheme = 'none' }
        Add-TestRoute $image.ManifestPath @(@{ status = 503 })
        $failure = Get-Failure { Get-DockerImageManifest -ImageName $image.Repository -MaximumRetryCount $Count @at }
        $failure.Exception.StatusCode | Should -Be 503
        @(Get-TestLog -Path $image.ManifestPath).Count | Should -Be ($Count + 1)
    }

    It 'is a stall after -OperationTimeoutSeconds' {
        $image = Add-TestImage
        Add-TestRoute $image.BlobPath @(@{ pass = $true; stallAfter = 0 })
        $failure = Get-Failure { Get-DockerImage -ImageName $image.Repository -DestinationFile (Join-Path $TestDrive 'stall.tar.gz') -OperationTimeoutSeconds 1 -MaximumRetryCount 0 @at }
        $failure.FullyQualifiedErrorId | Should -BeLike 'TimedOut,*'
    }
}
