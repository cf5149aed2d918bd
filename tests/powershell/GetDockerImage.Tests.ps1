# What Get-DockerImage gives: one layer's bytes in a file and their digest as one string.
BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'TestRegistry.psm1')
    Import-Module (Join-Path $PSScriptRoot 'Engine.psm1')
    Import-Module (Join-Path $PSScriptRoot 'Layers.psm1')
    Import-Module $env:WSLIMAGE_MODULE
    $registry = Get-TestRegistry
    $at = @{ Registry = $registry.Https; CACertificatePath = $registry.Ca }
}

Describe 'Get-DockerImage' {
    BeforeEach { $file = Join-Path $TestDrive "$([guid]::NewGuid().ToString('N')).tar.gz" }

    It 'writes the layer byte for byte and returns its digest' -ForEach @(
        @{ Size = 1 }, @{ Size = 65536 }, @{ Size = 5000001 }) {
        $bytes = Get-SampleByte $Size
        $image = Add-TestImage -Layer @{ base64 = [Convert]::ToBase64String($bytes) }
        $result = @(Get-DockerImage -ImageName $image.Repository -Tag latest -DestinationFile $file @at 6>$null)
        $result.Count | Should -Be 1
        $result[0] | Should -BeOfType ([string])
        $result[0] | Should -BeExactly $image.Hex
        (Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash | Should -Be $result[0]
        (Get-Item -LiteralPath $file).Length | Should -Be $Size
        [Linq.Enumerable]::SequenceEqual([byte[]] [IO.File]::ReadAllBytes($file), [byte[]] $bytes) | Should -BeTrue
    }

    It 'does not unpack what is compressed on the way or in itself' {
        $blob = New-Layer ((Get-RootEntry) + @(@{ Name = 'large'; Bytes = (New-Object byte[] 100000) }))
        $image = Add-TestImage -Layer $blob
        Get-DockerImage -ImageName $image.Repository -Tag latest -DestinationFile $file @at 6>$null | Should -BeExactly $image.Hex
        [Linq.Enumerable]::SequenceEqual([IO.File]::ReadAllBytes($file), [Convert]::FromBase64String($blob.base64)) | Should -BeTrue
    }

    It 'takes the image of <What>' -ForEach @(
        @{ What = 'an OCI index'; More = @{} }
        @{ What = 'a Docker manifest list'; More = @{ Docker = $true } }
        @{ What = 'an OCI manifest without an index'; More = @{ NoIndex = $true } }
        @{ What = 'a Docker manifest without a list'; More = @{ NoIndex = $true; Docker = $true } }
        @{ What = 'a registry that asks for no token'; More = @{ Auth = @{ scheme = 'none' } } }
        @{ What = 'a token service that says access_token'; More = @{ Auth = @{ scheme = 'bearer'; anonymous = $true; tokenField = 'access_token' } } }
        @{ What = 'a token service with a service name'; More = @{ Auth = @{ scheme = 'bearer'; anonymous = $true; service = 'the registry' } } }) {
        $image = Add-TestImage @More
        Get-DockerImage -ImageName $image.Repository -Tag latest -DestinationFile $file @at 6>$null | Should -BeExactly $image.Hex
        (Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash | Should -Be $image.Hex
    }

    It 'takes a digest as tag' {
        $image = Add-TestImage
        Get-DockerImage -ImageName $image.Repository -Tag $image.Manifests[0] -DestinationFile $file @at 6>$null | Should -BeExactly $image.Hex
        Get-DockerImage -ImageName $image.Repository -Tag $image.Index -DestinationFile $file @at 6>$null | Should -BeExactly $image.Hex
    }

    It 'follows the registry to where the layer lies, without taking the token there' {
        $image = Add-TestImage
        $elsewhere = New-TestRepository
        $null = Add-TestBlob $elsewhere $image.Blob
        Set-TestAuth $elsewhere @{ scheme = 'none' }
        # Another port is another host to a client.
        Add-TestRoute $image.BlobPath @(@{ status = 307; headers = @{ Location = "http://$($registry.Http)/v2/$elsewhere/blobs/$($image.Digest)" } })
        $failure = Get-Failure { Get-DockerImage -ImageName $image.Repository -Tag latest -DestinationFile $file @at }
        $failure.Exception | Should -BeOfType ([WslImageDownloadException]) -Because 'https must not lead to plain http'
        Test-Path -LiteralPath $file | Should -BeFalse

        $second = Add-TestImage -Repository "$($image.Repository)-http"
        $null = Add-TestBlob $elsewhere $second.Blob
        Add-TestRoute $second.BlobPath @(@{ status = 307; headers = @{ Location = "https://$($registry.Https)/v2/$elsewhere/blobs/$($second.Digest)" } })
        Get-DockerImage -ImageName $second.Repository -Tag latest -DestinationFile $file -Registry $registry.Http -PlainHttp -CACertificatePath $registry.Ca 6>$null | Should -BeExactly $second.Hex
        $request = @(Get-TestLog -Repository $elsewhere)[-1]
        $request.listener | Should -Be 'https'
        $request.headers.PSObject.Properties.Name | Should -Not -Contain 'authorization'
    }

    It 'asks once for a token and once for each thing' {
        $image = Add-TestImage
        Get-DockerImage -ImageName $image.Repository -Tag latest -DestinationFile $file @at 6>$null
        $tokens = @(Get-TestLog -Path '/token' | Where-Object { $_.query -like "*$([uri]::EscapeDataString($image.Repository))*" -or $_.query -like "*$($image.Repository)*" })
        $tokens.Count | Should -Be 1
        $answered = @(Get-TestLog -Repository $image.Repository | Where-Object { $_.status -eq 200 -and $_.path -like '/v2/*' })
        @($answered | ForEach-Object { $_.path }) | Should -Be @($image.ManifestPath, "/v2/$($image.Repository)/manifests/$($image.Manifests[0])", "/v2/$($image.Repository)/blobs/$($image.Configs[0])", $image.BlobPath)
    }

    It 'says who asks, and wants the blob as it is' {
        $image = Add-TestImage
        Get-DockerImage -ImageName $image.Repository -Tag latest -DestinationFile $file @at 6>$null
        $log = @(Get-TestLog -Repository $image.Repository)
        foreach ($request in $log) { $request.headers.'user-agent' | Should -Match '^WslImage/\d+\.\d+\.\d+ .*PowerShell/\d' }
        @($log | Where-Object { $_.path -eq $image.BlobPath })[-1].headers.'accept-encoding' | Should -Be 'identity'
    }

    It 'with -WhatIf asks nothing of the disk and returns nothing' {
        $image = Add-TestImage
        $folder = Join-Path $TestDrive 'what-if'
        $result = Get-DockerImage -ImageName $image.Repository -Tag latest -DestinationFile (Join-Path $folder 'rootfs.tar.gz') @at -WhatIf 6>$null
        $result | Should -BeNullOrEmpty
        Test-Path -LiteralPath $folder | Should -BeFalse
        @(Get-TestLog -Repository $image.Repository | Where-Object { $_.path -eq $image.BlobPath }).Count | Should -Be 0
    }

    It 'serves several shells of one process at once' {
        $images = @(1..4 | ForEach-Object { Add-TestImage })
        $shells = @(foreach ($image in $images) {
                New-Engine 'Get-DockerImage -ImageName $name -Tag latest -DestinationFile $file @at' @{ name = $image.Repository; file = (Join-Path $TestDrive "$($image.Hex).tar.gz"); at = $at }
            })
        try {
            $running = @(foreach ($shell in $shells) { $shell.BeginInvoke() })
            for ($i = 0; $i -lt $shells.Count; $i++) { $shells[$i].EndInvoke($running[$i]) | Should -BeExactly $images[$i].Hex }
        }
        finally { foreach ($shell in $shells) { $shell.Runspace.Dispose(); $shell.Dispose() } }
    }

    It 'serves what its callers write' {
        $image = Add-TestImage
        $r, $n, $t, $f = $registry.Https, $image.Repository, 'latest', $file
        $hash = Get-DockerImage -Registry $r -Image $n -Tag $t -DestinationFile $f -CACertificatePath $registry.Ca 6>$null
        $hash -eq (Get-FileHash $f).Hash | Should -BeTrue
    }
}
