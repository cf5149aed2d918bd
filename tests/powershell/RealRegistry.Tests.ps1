# A real Debian root filesystem out of real registries: Debian's docker-registry over TLS, the same with Basic authentication,
# and the project's own token-guarded one. Where it cannot be had the tests are skipped and say why; with CI=true they fail.
BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'TestRegistry.psm1')
    Import-Module (Join-Path $PSScriptRoot 'Engine.psm1')
    Import-Module (Join-Path $PSScriptRoot 'DockerRegistry.psm1')
    Import-Module $env:WSLIMAGE_MODULE
    $lack = if (Test-Windows) { 'debootstrap and docker-registry are Linux programs' }
    else {
        $missing = @(Get-MissingProgram 'docker-registry', 'openssl', 'htpasswd', 'bsdtar')
        if ($missing) { "there is no $($missing -join ' and no ') here" }
    }
    $rootfs = $plain = $guarded = $null
    if (-not $lack) { try { $rootfs = Get-DebianRootfs } catch { $lack = $_.Exception.Message } }
    if ($lack -and $env:CI -eq 'true' -and -not (Test-Windows)) { throw $lack }
    function Assert-Available { if ($lack) { Set-ItResult -Skipped -Because $lack } }
    function Assert-Rootfs([string] $File, [string] $Hash) {
        $Hash | Should -BeExactly $digest.Split(':')[1]
        (Get-FileHash -LiteralPath $File -Algorithm SHA256).Hash | Should -Be $Hash
        $names = @(& bsdtar -tf $File)
        $LASTEXITCODE | Should -Be 0
        $names | Should -Contain './etc/debian_version'
        @($names | Where-Object { $_ -match '^\./(usr/)?bin/' }).Count | Should -BeGreaterThan 50
    }
    if ($rootfs) {
        $digest = 'sha256:' + (Get-FileHash -LiteralPath $rootfs -Algorithm SHA256).Hash.ToLowerInvariant()
        $certificate = New-Certificate (New-Item -ItemType Directory -Path (Join-Path $TestDrive 'certificate')).FullName
        $plain = Start-DockerRegistry (New-Item -ItemType Directory -Path (Join-Path $TestDrive 'plain')).FullName $certificate
        $guarded = Start-DockerRegistry (New-Item -ItemType Directory -Path (Join-Path $TestDrive 'guarded')).FullName $certificate 'somebody' 'Secr3t: word'
        foreach ($one in $plain, $guarded) { $null = Publish-Image $one 'distributions/debian' 'minbase' $rootfs }
        $login = New-Object pscredential 'somebody', (ConvertTo-SecureString 'Secr3t: word' -AsPlainText -Force)
    }
    $name = @{ ImageName = 'distributions/debian'; Tag = 'minbase' }
}

AfterAll { foreach ($one in $plain, $guarded) { Stop-DockerRegistry $one } }

Describe 'A Debian root filesystem' {
    BeforeEach {
        Assert-Available
        $file = Join-Path $TestDrive "$([guid]::NewGuid().ToString('N')).tar.gz"
    }
    AfterEach { if ($file -and (Test-Path -LiteralPath $file)) { Remove-Item -LiteralPath $file } }

    It 'comes out of docker-registry over TLS' {
        $hash = Get-DockerImage @name -DestinationFile $file -Registry $plain.Address -CACertificatePath $certificate.Authority 6>$null
        Assert-Rootfs $file $hash
    }

    It 'comes out of docker-registry whose certificate is not looked at' {
        $hash = Get-DockerImage @name -DestinationFile $file -Registry $plain.Address -SkipCertificateCheck 6>$null
        Assert-Rootfs $file $hash
    }

    It 'does not come when nobody vouches for the certificate' {
        $failure = Get-Failure { Get-DockerImage @name -DestinationFile $file -Registry $plain.Address }
        $failure.Exception | Should -BeOfType ([WslImageDownloadException])
        Test-Path -LiteralPath $file | Should -BeFalse
    }

    It 'is described by its manifest' {
        $manifest = Get-DockerImageManifest @name -Registry $plain.Address -CACertificatePath $certificate.Authority 6>$null
        $manifest.digest | Should -BeExactly $digest
        $manifest.size | Should -Be (Get-Item -LiteralPath $rootfs).Length
        $manifest.config.Labels['org.opencontainers.image.title'] | Should -BeExactly 'Debian'
        @(Get-DockerAuthToken -Registry $plain.Address -Repository $name.ImageName -CACertificatePath $certificate.Authority).Count | Should -Be 0
    }

    It 'comes out of docker-registry with a login' {
        $hash = Get-DockerImage @name -DestinationFile $file -Registry $guarded.Address -CACertificatePath $certificate.Authority -Credential $login 6>$null
        Assert-Rootfs $file $hash
    }

    It 'does not come <How>' -ForEach @(@{ How = 'without a login'; Password = $null }, @{ How = 'with a wrong password'; Password = 'Wr0ng' }) {
        $more = if ($Password) { @{ Credential = (New-Object pscredential 'somebody', (ConvertTo-SecureString $Password -AsPlainText -Force)) } } else { @{} }
        $failure = Get-Failure { Get-DockerImage @name -DestinationFile $file -Registry $guarded.Address -CACertificatePath $certificate.Authority @more }
        $failure.Exception | Should -BeOfType ([WslImageDownloadException])
        $failure.Exception.ToString() | Should -Not -Match 'Wr0ng'
        Test-Path -LiteralPath $file | Should -BeFalse
    }

    It 'is missing under another tag' {
        $failure = Get-Failure { Get-DockerImage -ImageName $name.ImageName -Tag 'missing' -DestinationFile $file -Registry $plain.Address -CACertificatePath $certificate.Authority }
        $failure.Exception | Should -BeOfType ([WslImageSourceNotFoundException])
        $failure.Exception.Message | Should -BeLike "Image not found: $($plain.Address)/distributions/debian:missing*"
    }

    It 'comes out of the project''s own registry with a token' {
        $registry = Get-TestRegistry
        $image = Add-TestImage -Layer @{ file = $rootfs }
        $image.Digest | Should -BeExactly $digest
        $hash = Get-DockerImage -ImageName $image.Repository -Tag latest -DestinationFile $file -Registry $registry.Https -CACertificatePath $registry.Ca 6>$null
        Assert-Rootfs $file $hash
        @(Get-TestLog -Repository $image.Repository | Where-Object { $_.path -eq $image.BlobPath -and $_.headers.authorization -like 'Bearer *' }).Count | Should -BeGreaterThan 0
    }
}
