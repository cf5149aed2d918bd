# A real Debian root filesystem out of real registries: Debian's docker-registry over TLS, the same with Basic authentication,
# and the project's own token-guarded one. Where it cannot be had the tests are skipped and say why; with CI=true they fail.
BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'TestRegistry.psm1')
    Import-Module (Join-Path $PSScriptRoot 'Engine.psm1')
    Import-Module (Join-Path $PSScriptRoot 'Layers.psm1')
    Import-Module (Join-Path $PSScriptRoot 'DockerRegistry.psm1')
    Import-Module $env:WSLIMAGE_MODULE
    $started = $real = $lack = $null
    if ($env:WSLIMAGE_TEST_REAL_REGISTRY) {
        $real = ConvertFrom-Json -InputObject $env:WSLIMAGE_TEST_REAL_REGISTRY
    }
    elseif (Test-Windows) { $lack = 'debootstrap and docker-registry are Linux programs' }
    else { try { $started = $real = Start-RealRegistry $TestDrive } catch { $lack = $_.Exception.Message } }
    if ($lack -and $env:CI -eq 'true' -and -not (Test-Windows)) { throw $lack }
    function Assert-Available { if ($lack) { Set-ItResult -Skipped -Because $lack } }
    function Assert-Rootfs([string] $File, [string] $Hash) {
        $Hash | Should -BeExactly $real.digest.Split(':')[1]
        (Get-FileHash -LiteralPath $File -Algorithm SHA256).Hash | Should -Be $Hash
        $names = @(Get-ArchiveName $File)
        $names | Should -Contain 'etc/debian_version'
        @($names | Where-Object { $_ -match '^(usr/)?bin/' }).Count | Should -BeGreaterThan 50
    }
    if ($real) {
        $login = New-Object pscredential $real.user, (ConvertTo-SecureString $real.password -AsPlainText -Force)
        $name = @{ ImageName = $real.repository; Tag = $real.tag }
        $trusted = @{ CACertificatePath = $real.authority }
    }
}

AfterAll { Stop-RealRegistry $started }

Describe 'A Debian root filesystem' {
    BeforeEach {
        Assert-Available
        $file = Join-Path $TestDrive "$([guid]::NewGuid().ToString('N')).tar.gz"
    }
    AfterEach { if ($file -and (Test-Path -LiteralPath $file)) { Remove-Item -LiteralPath $file } }

    It 'comes out of docker-registry over TLS' {
        $hash = Get-DockerImage @name -DestinationFile $file -Registry $real.plain.Address @trusted 6>$null
        Assert-Rootfs $file $hash
    }

    It 'comes out of docker-registry whose certificate is not looked at' {
        $hash = Get-DockerImage @name -DestinationFile $file -Registry $real.plain.Address -SkipCertificateCheck 6>$null
        Assert-Rootfs $file $hash
    }

    It 'does not come when nobody vouches for the certificate' {
        $failure = Get-Failure { Get-DockerImage @name -DestinationFile $file -Registry $real.plain.Address }
        $failure.Exception | Should -BeOfType ([WslImageDownloadException])
        Test-Path -LiteralPath $file | Should -BeFalse
    }

    It 'is described by its manifest' {
        $manifest = Get-DockerImageManifest @name -Registry $real.plain.Address @trusted 6>$null
        $manifest.digest | Should -BeExactly $real.digest
        $manifest.size | Should -Be $real.size
        $manifest.config.Labels['org.opencontainers.image.title'] | Should -BeExactly 'Debian'
        @(Get-DockerAuthToken -Registry $real.plain.Address -Repository $name.ImageName @trusted).Count | Should -Be 0
    }

    It 'comes out of docker-registry with a login' {
        $hash = Get-DockerImage @name -DestinationFile $file -Registry $real.guarded.Address @trusted -Credential $login 6>$null
        Assert-Rootfs $file $hash
    }

    It 'does not come <How>' -ForEach @(@{ How = 'without a login'; Password = $null }, @{ How = 'with a wrong password'; Password = 'Wr0ng' }) {
        $more = if ($Password) { @{ Credential = (New-Object pscredential $real.user, (ConvertTo-SecureString $Password -AsPlainText -Force)) } } else { @{} }
        $failure = Get-Failure { Get-DockerImage @name -DestinationFile $file -Registry $real.guarded.Address @trusted @more }
        $failure.Exception | Should -BeOfType ([WslImageDownloadException])
        $failure.Exception.ToString() | Should -Not -Match 'Wr0ng'
        Test-Path -LiteralPath $file | Should -BeFalse
    }

    It 'is missing under another tag' {
        $failure = Get-Failure { Get-DockerImage -ImageName $name.ImageName -Tag 'missing' -DestinationFile $file -Registry $real.plain.Address @trusted }
        $failure.Exception | Should -BeOfType ([WslImageSourceNotFoundException])
        $failure.Exception.Message | Should -BeLike "Image not found: $($real.plain.Address)/distributions/debian:missing*"
    }

    It 'comes out of the project''s own registry with a token' {
        $registry = Get-TestRegistry
        $image = Add-TestImage -Layer @{ file = $real.rootfs }
        $image.Digest | Should -BeExactly $real.digest
        $hash = Get-DockerImage -ImageName $image.Repository -Tag latest -DestinationFile $file -Registry $registry.Https -CACertificatePath $registry.Ca 6>$null
        Assert-Rootfs $file $hash
        @(Get-TestLog -Repository $image.Repository | Where-Object { $_.path -eq $image.BlobPath -and $_.headers.authorization -like 'Bearer *' }).Count | Should -BeGreaterThan 0
    }
}
