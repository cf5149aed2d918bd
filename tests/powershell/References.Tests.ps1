# How an image may be named: whole references in -ImageName, and what stands beside them.
BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'TestRegistry.psm1')
    Import-Module (Join-Path $PSScriptRoot 'Engine.psm1')
    Import-Module $env:WSLIMAGE_MODULE
    $registry = Get-TestRegistry
    $ca = @{ CACertificatePath = $registry.Ca }
    $working = Get-Sign Working
    $image = Add-TestImage -Tag 'latest', '3.20'
    $n, $r = $image.Repository, $registry.Https
}

Describe 'A whole reference' {
    BeforeEach { $file = Join-Path $TestDrive "$([guid]::NewGuid().ToString('N')).tar.gz" }

    It 'is enough for Get-DockerImage' -ForEach @(@{ End = '' }, @{ End = ':latest' }, @{ End = ':3.20' }) {
        Get-DockerImage -ImageName "$r/$n$End" -DestinationFile $file @ca 6>$null | Should -BeExactly $image.Hex
        (Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash | Should -Be $image.Hex
    }

    It 'may have a digest, or a tag and a digest' {
        Get-DockerImage -ImageName "$r/$n@$($image.Index)" -DestinationFile $file @ca 6>$null | Should -BeExactly $image.Hex
        (Get-DockerImageManifest -ImageName "$r/${n}:3.20@$($image.Manifests[0])" @ca 6>$null).digest | Should -BeExactly $image.Digest
    }

    It 'may have its tag or its registry beside it' {
        (Get-DockerImageManifest -ImageName "$r/$n" -Tag 3.20 @ca 6>$null).digest | Should -BeExactly $image.Digest
        (Get-DockerImageManifest -ImageName "${n}:3.20" -Registry $r @ca 6>$null).digest | Should -BeExactly $image.Digest
        (Get-DockerImageManifest -ImageName "$r/${n}:3.20" -Registry $r -Tag 3.20 @ca 6>$null).digest | Should -BeExactly $image.Digest
        @(Get-TestLog -Repository $n | ForEach-Object { $_.path }) | Should -Contain "/v2/$n/manifests/3.20"
    }

    It 'is told in the original''s words' {
        $run = Invoke-Engine 'Get-DockerImage -ImageName $name -DestinationFile $file @ca' @{ name = "$r/${n}:3.20"; file = $file; ca = $ca }
        $run.Line[0] | Should -BeExactly "$working Downloading Docker image layer from $r/${n}:3.20..."
        $run.Line[1] | Should -BeExactly "$working Retrieving docker image manifest for ${n}:3.20 from registry $r..."
        $run = Invoke-Engine 'Get-DockerImageManifest -ImageName $name @ca' @{ name = "$r/$n"; ca = $ca }
        $run.Line | Should -BeExactly @("$working Retrieving docker image manifest for ${n}:latest from registry $r...")
    }

    It 'of Docker Hub is told with its whole name' -ForEach @(
        @{ Given = @{ ImageName = 'docker.io/alpine:3.20' }; Told = 'docker.io/library/alpine:3.20' }
        @{ Given = @{ ImageName = 'alpine'; Registry = 'docker.io'; Tag = '3.20' }; Told = 'docker.io/library/alpine:3.20' }
        @{ Given = @{ ImageName = 'owner/name' }; Told = 'ghcr.io/owner/name:latest' }) {
        # A certificate file that is not there ends the command before anything is asked.
        $run = Invoke-Engine 'try { Get-DockerImage @given -DestinationFile x -CACertificatePath no-such-file.pem } catch { }' @{ given = $Given }
        $run.Line | Should -BeExactly @("$working Downloading Docker image layer from $Told...")
    }

    It 'that contradicts <What> is refused' -ForEach @(
        @{ What = '-Registry'; More = @{ Registry = 'ghcr.io' } }, @{ What = '-Tag'; More = @{ Tag = 'other' } }) {
        $before = @(Get-TestLog -Repository $n).Count
        $failure = Get-Failure { Get-DockerImage -ImageName "$r/${n}:3.20" -DestinationFile $file @More @ca }
        $failure.Exception | Should -BeOfType ([WslImageDownloadException])
        $failure.FullyQualifiedErrorId | Should -BeLike 'InvalidReference,*'
        $failure.Exception.Message | Should -Match 'beside it'
        @(Get-TestLog -Repository $n).Count | Should -Be $before
        Test-Path -LiteralPath $file | Should -BeFalse
    }
}
