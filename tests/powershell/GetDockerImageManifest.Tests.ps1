# What Get-DockerImageManifest gives: the image's config as Hashtables, and of its layer the media type, size and digest.
BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'TestRegistry.psm1')
    Import-Module (Join-Path $PSScriptRoot 'Engine.psm1')
    Import-Module $env:WSLIMAGE_MODULE
    $registry = Get-TestRegistry
    $at = @{ Registry = $registry.Https; CACertificatePath = $registry.Ca }
    function Get-Manifest([string] $ConfigText) {
        $image = Add-TestImage -ConfigText $ConfigText
        Get-DockerImageManifest -ImageName $image.Repository -Tag latest @at 6>$null
    }
}

Describe 'Get-DockerImageManifest' {
    It 'gives the config without history and rootfs, and the layer' {
        $image = Add-TestImage -ConfigText ('{"created":"2024-03-01T10:20:30Z","os":"linux","architecture":"amd64","config":{"Labels":{"a":"b"}},' +
            '"history":[{"created_by":"x"}],"rootfs":{"type":"layers","diff_ids":[]}}')
        $result = @(Get-DockerImageManifest -ImageName $image.Repository -Tag latest @at 6>$null)
        $result.Count | Should -Be 1
        $manifest = $result[0]
        $manifest.GetType() | Should -Be ([hashtable])
        @($manifest.Keys | Sort-Object) | Should -Be @('architecture', 'config', 'created', 'digest', 'mediaType', 'os', 'size')
        $manifest.digest | Should -BeExactly $image.Digest
        $manifest.size | Should -Be $image.Size
        $manifest.mediaType | Should -BeExactly $image.Layers[0].mediaType
    }

    It 'gives what callers look at' {
        $manifest = Get-Manifest '{"created":"2024-03-01T10:20:30Z","os":"linux","architecture":"amd64","config":{"Labels":{"org.opencontainers.image.version":"3.19.1"}}}'
        $manifest.ContainsKey('config') | Should -BeTrue
        $manifest.ContainsKey('CONFIG') | Should -BeTrue
        $manifest.config.GetType() | Should -Be ([hashtable])
        $manifest.config.Labels.ContainsKey('org.opencontainers.image.version') | Should -BeTrue
        $manifest.config.Labels['Org.OpenContainers.Image.Version'] | Should -BeExactly '3.19.1'
        (Get-Date $manifest.created).ToUniversalTime() | Should -Be (New-Object datetime 2024, 3, 1, 10, 20, 30, ([DateTimeKind]::Utc))
        ($manifest.digest -split ':')[0] | Should -BeExactly 'sha256'
    }

    It 'gives <Json> as the type that ConvertFrom-Json gives' -ForEach @(
        @{ Json = '1' }, @{ Json = '-9223372036854775808' }, @{ Json = '9223372036854775808' }, @{ Json = '1.0' }, @{ Json = '1e3' }, @{ Json = 'true' }, @{ Json = 'null' }
        @{ Json = '"text"' }, @{ Json = '""' }, @{ Json = '"2024-03-01T10:20:30Z"' }, @{ Json = '"2024-03-01T10:20:30.123456789Z"' }, @{ Json = '"2024-03-01T10:20:30+02:00"' }, @{ Json = '"2024-03-01"' }) {
        $expected = (ConvertFrom-Json -InputObject "{`"value`":$Json}").value
        $actual = (Get-Manifest "{`"os`":`"linux`",`"architecture`":`"amd64`",`"value`":$Json}")['value']
        if ($null -eq $expected) { $null -eq $actual | Should -BeTrue; return }
        $actual.GetType() | Should -Be $expected.GetType()
        $actual | Should -BeExactly $expected
    }

    It 'keeps arrays of none and of one, nulls, and objects in arrays' {
        $manifest = Get-Manifest '{"os":"linux","architecture":"amd64","none":[],"one":["x"],"null":[null],"objects":[{"a":{"b":1}}],"nested":[[1],[]]}'
        foreach ($name in 'none', 'one', 'null', 'objects', 'nested') { $manifest[$name].GetType() | Should -Be ([object[]]) -Because $name }
        $manifest['none'].Count | Should -Be 0
        $manifest['one'].Count | Should -Be 1
        $manifest['one'][0] | Should -BeExactly 'x'
        $manifest['null'].Count | Should -Be 1
        $null -eq $manifest['null'][0] | Should -BeTrue
        $manifest['objects'][0].GetType() | Should -Be ([hashtable])
        $manifest['objects'][0].a.b | Should -Be 1
        $manifest['nested'][0].GetType() | Should -Be ([object[]])
        $manifest['nested'][1].Count | Should -Be 0
    }

    It 'keeps the first of names that differ only by case, and says so' {
        $image = Add-TestImage -ConfigText '{"os":"linux","architecture":"amd64","config":{"Labels":{"Version":"first","version":"second","other":"x"}}}'
        $run = Invoke-Engine 'Get-DockerImageManifest -ImageName $name -Tag latest @at -Verbose' @{ name = $image.Repository; at = $at }
        $run.ErrorRecord | Should -BeNullOrEmpty
        $labels = $run.Output[0].config.Labels
        $labels.Count | Should -Be 2
        $labels['version'] | Should -BeExactly 'first'
        @($run.Verbose | Where-Object { $_ -like '*config.Labels.version*' }).Count | Should -Be 1
    }

    It 'keeps text of any script' {
        $text = "$([char] 0xC4)$([char]::ConvertFromUtf32(0x1F427))$([char] 0x4E2D)e$([char] 0x301)"
        (Get-Manifest "{`"os`":`"linux`",`"architecture`":`"amd64`",`"config`":{`"Labels`":{`"$text`":`"$text\n\\`"}}}").config.Labels[$text] | Should -BeExactly "$text`n\"
    }

    It 'takes the image of <What>' -ForEach @(
        @{ What = 'a Docker manifest list'; More = @{ Docker = $true } }
        @{ What = 'an OCI manifest without an index'; More = @{ NoIndex = $true } }
        @{ What = 'a Docker manifest without a list'; More = @{ NoIndex = $true; Docker = $true } }
        @{ What = 'a registry that asks for no token'; More = @{ Auth = @{ scheme = 'none' } } }) {
        $image = Add-TestImage @More
        (Get-DockerImageManifest -ImageName $image.Repository -Tag latest @at 6>$null).digest | Should -BeExactly $image.Digest
    }

    Context 'with a token of the caller' {
        It 'uses it and asks for no other' {
            $image = Add-TestImage
            $token = Get-DockerAuthToken -Repository $image.Repository @at
            $before = @(Get-TestLog -Path '/token').Count
            (Get-DockerImageManifest -AuthToken $token -ImageName $image.Repository -Tag latest @at 6>$null).digest | Should -BeExactly $image.Digest
            @(Get-TestLog -Path '/token').Count | Should -Be $before
            foreach ($request in @(Get-TestLog -Repository $image.Repository | Where-Object { $_.path -like '/v2/*' -and $_.status -eq 200 })) { $request.headers.authorization | Should -BeExactly "Bearer $token" }
        }

        It 'does not replace it when it is refused' {
            $image = Add-TestImage
            $before = @(Get-TestLog -Path '/token').Count
            $failure = Get-Failure { Get-DockerImageManifest -AuthToken 'wrong' -ImageName $image.Repository -Tag latest @at }
            $failure.Exception | Should -BeOfType ([WslImageDownloadException])
            $failure.Exception.Message | Should -BeLike 'Access denied to registry. The image may not exist or authentication failed.*'
            @(Get-TestLog -Path '/token').Count | Should -Be $before
        }

        It 'takes an empty one for none, as callers pass it by position' {
            $image = Add-TestImage
            (Get-DockerImageManifest '' $image.Repository latest $registry.Https -CACertificatePath $registry.Ca 6>$null).digest | Should -BeExactly $image.Digest
        }
    }

    Context 'of several platforms' {
        BeforeAll {
            $several = Add-TestImage -Platform @(foreach ($platform in @{ os = 'linux'; architecture = 'arm'; variant = 'v6' }, @{ os = 'linux'; architecture = 'arm'; variant = 'v7' },
                    @{ os = 'windows'; architecture = 'amd64' }, @{ os = 'linux'; architecture = 'amd64' }, @{ os = 'linux'; architecture = 'arm64'; variant = 'v8' }, @{ os = 'unknown'; architecture = 'unknown' }) {
                    $json = ConvertTo-Json -InputObject $platform -Compress
                    @{ platform = $platform; layers = @(@{ text = "layer for $($platform.os) $($platform.architecture) $($platform.variant)" }); configText = $json }
                })
        }

        It 'takes linux/amd64 when nothing is asked' {
            $manifest = Get-DockerImageManifest -ImageName $several.Repository -Tag latest @at 6>$null
            "$($manifest.os)/$($manifest.architecture)" | Should -Be 'linux/amd64'
        }

        It 'takes <Platform> when it is asked' -ForEach @(
            @{ Platform = 'linux/arm64'; Variant = 'v8' }, @{ Platform = 'linux/arm64/v8'; Variant = 'v8' }, @{ Platform = 'linux/arm/v6'; Variant = 'v6' }, @{ Platform = 'linux/arm/v7'; Variant = 'v7' }) {
            $manifest = Get-DockerImageManifest -ImageName $several.Repository -Tag latest -Platform $Platform @at 6>$null
            $os, $architecture, $null = $Platform.Split('/')
            $manifest.os | Should -Be $os
            $manifest.architecture | Should -Be $architecture
            $manifest['variant'] | Should -Be $Variant
        }

        It 'refuses a Windows image, which WSL does not run' {
            $failure = Get-Failure { Get-DockerImageManifest -ImageName $several.Repository -Tag latest -Platform windows/amd64 @at }
            $failure.Exception | Should -BeOfType ([WslImageDownloadException])
            $failure.Exception.Message | Should -Match 'WSL runs Linux distributions'
        }

        It 'fails for one that is not there' {
            $failure = Get-Failure { Get-DockerImageManifest -ImageName $several.Repository -Tag latest -Platform linux/s390x @at }
            $failure.Exception | Should -BeOfType ([WslImageDownloadException])
            $failure.Exception.Message | Should -Match 's390x'
        }

        It 'fails for a manifest without an index whose config says another' {
            $image = Add-TestImage -NoIndex -ConfigText '{"os":"linux","architecture":"arm64"}'
            $failure = Get-Failure { Get-DockerImageManifest -ImageName $image.Repository -Tag latest @at }
            $failure.Exception | Should -BeOfType ([WslImageDownloadException])
            $failure.Exception.Message | Should -Match 'amd64'
        }

        It 'says that <Platform> is none' -ForEach @(@{ Platform = 'amd64/' }, @{ Platform = '/' }, @{ Platform = 'linux/amd64/v1/x' }, @{ Platform = ' ' }) {
            $failure = Get-Failure { Get-DockerImageManifest -ImageName $several.Repository -Tag latest -Platform $Platform @at }
            $failure | Should -Not -BeNullOrEmpty
            $failure.CategoryInfo.Category | Should -Be 'InvalidArgument'
        }
    }
}
