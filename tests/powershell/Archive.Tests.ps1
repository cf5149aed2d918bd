# What becomes of several layers, of other formats, and of images of files and folders.
BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'TestRegistry.psm1')
    Import-Module (Join-Path $PSScriptRoot 'Engine.psm1')
    Import-Module (Join-Path $PSScriptRoot 'Layers.psm1')
    Import-Module $env:WSLIMAGE_MODULE
    $registry = Get-TestRegistry
    $at = @{ Registry = $registry.Https; CACertificatePath = $registry.Ca }
    function Get-Given($Image, [string] $File) { @{ ImageName = $Image.Repository; Tag = 'latest'; DestinationFile = $File } + $at }
    # How often each blob was asked for.
    function Get-BlobRequest($Image) { @(Get-TestLog -Repository $Image.Repository | Where-Object { @($Image.Layers.digest) -contains ($_.path -split '/')[-1] }) }
    function Assert-ThreeLayer([string] $File) {
        Get-ArchiveName $File | Should -Be (Get-ThreeLayerName)
        $folder = Join-Path $TestDrive "extracted-$([guid]::NewGuid().ToString('N'))"
        Expand-Archived $File $folder
        [IO.File]::ReadAllText((Join-Path $folder 'etc/motd')) | Should -BeExactly 'second'
        [IO.File]::ReadAllText((Join-Path $folder 'srv/new')) | Should -BeExactly 'new'
    }
    function Assert-Hash([string] $File, [string] $Hash) {
        $Hash | Should -Match '^[0-9a-f]{64}$'
        (Get-FileHash -LiteralPath $File -Algorithm SHA256).Hash | Should -Be $Hash
    }
}

Describe 'An image of several layers' {
    BeforeEach {
        $folder = (New-Item -ItemType Directory -Path (Join-Path $TestDrive ([guid]::NewGuid().ToString('N')))).FullName
        $file = Join-Path $folder 'rootfs.tar.gz'
    }

    It 'becomes one archive, in which the layers are applied, and its hash' {
        $image = Add-TestImage -Layer @(Get-ThreeLayer 50000)
        $run = Invoke-Engine 'Get-DockerImage @given' @{ given = (Get-Given $image $file) }
        $run.ErrorRecord | Should -BeNullOrEmpty
        $run.Warning | Should -BeNullOrEmpty
        @($run.Output).Count | Should -Be 1
        $run.Output[0] | Should -BeOfType ([string])
        Assert-Hash $file $run.Output[0]
        Assert-ThreeLayer $file
        @($image.Layers.digest) | Should -Not -Contain "sha256:$($run.Output[0])"
        Get-FolderContent $folder | Should -Be @('rootfs.tar.gz')
    }

    It 'is told of as people like it' {
        $image = Add-TestImage -Layer @(Get-ThreeLayer)
        $run = Invoke-Engine 'Get-DockerImage @given' @{ given = (Get-Given $image $file) }
        $size = ($image.Layers | Measure-Object -Property size -Sum).Sum
        $run.Line | Should -BeExactly @(
            "$(Get-Sign Working) Downloading Docker image layer from $($registry.Https)/$($image.Repository):latest..."
            "$(Get-Sign Working) Retrieving docker image manifest for $($image.Repository):latest from registry $($registry.Https)..."
            "$(Get-Sign Fact) Root filesystem size: $size B, 3 layers. Digest $($image.Manifests[0]). Downloading..."
            "$(Get-Sign Done) Successfully downloaded Docker image to $file. File size: $((Get-Item -LiteralPath $file).Length) B")
    }

    It 'is not fetched again where it is there already' {
        $image = Add-TestImage -Layer @(Get-ThreeLayer 50000)
        $given = Get-Given $image $file
        $first = Get-DockerImage @given 6>$null
        $requests = @(Get-BlobRequest $image).Count
        $when = (Get-Item -LiteralPath $file).LastWriteTimeUtc
        Get-DockerImage @given 6>$null | Should -BeExactly $first
        @(Get-BlobRequest $image).Count | Should -Be $requests
        (Get-Item -LiteralPath $file).LastWriteTimeUtc | Should -Be $when

        # Not so a damaged one.
        $bytes = [IO.File]::ReadAllBytes($file)
        $bytes[$bytes.Length - 1] = $bytes[$bytes.Length - 1] -bxor 1
        [IO.File]::WriteAllBytes($file, $bytes)
        Get-DockerImage @given 6>$null | Should -BeExactly $first
        Assert-Hash $file $first
    }

    It 'is the same file from either of two processes with one destination, and is made once' {
        $image = Add-TestImage -Layer @(Get-ThreeLayer 500000)
        foreach ($layer in $image.Layers) { Add-TestRoute "/v2/$($image.Repository)/blobs/$($layer.digest)" @(@{ pass = $true; bytesPerSecond = 1000000 }) }
        $text = @'
Import-Module $env:WSLIMAGE_MODULE
Get-DockerImage -ImageName $env:TEST_IMAGE -DestinationFile $env:TEST_FILE -Registry $env:WSLIMAGE_TEST_REGISTRY_HTTPS -CACertificatePath $env:WSLIMAGE_TEST_REGISTRY_CA 6>$null
'@
        $values = @{ engine = (Join-Path $PSScriptRoot 'Engine.psm1'); text = $text; scripts = "$TestDrive"; environment = @{ TEST_IMAGE = $image.Repository; TEST_FILE = $file } }
        $shells = @(1..2 | ForEach-Object { New-Engine 'Import-Module $engine; Invoke-Shell -Folder $scripts -Environment $environment -Script $text' $values })
        try {
            $running = @(foreach ($shell in $shells) { $shell.BeginInvoke() })
            $runs = @(for ($i = 0; $i -lt 2; $i++) { $shells[$i].EndInvoke($running[$i]) })
        }
        finally { foreach ($shell in $shells) { $shell.Runspace.Dispose(); $shell.Dispose() } }
        foreach ($run in $runs) { $run.ExitCode | Should -Be 0 -Because $run.Error }
        $hashes = @($runs | ForEach-Object { $_.Output.Trim() })
        $hashes.Count | Should -Be 2
        $hashes[0] | Should -BeExactly $hashes[1]
        Assert-Hash $file $hashes[0]
        Assert-ThreeLayer $file
        Get-FolderContent $folder | Should -Be @('rootfs.tar.gz')
        @(Get-BlobRequest $image | Group-Object path | ForEach-Object { $_.Count }) | Should -Be @(1, 1, 1)
    }

    It 'stopped by Ctrl+C in the middle goes on with the next call' {
        $image = Add-TestImage -Layer @(Get-ThreeLayer 3000000)
        $paths = @($image.Layers | ForEach-Object { "/v2/$($image.Repository)/blobs/$($_.digest)" })
        # The first layer stands still after two of three megabytes.
        Add-TestRoute $paths[0] @(@{ pass = $true; stallAfter = 2000000 })
        [IO.File]::WriteAllText($file, 'older')
        $shell = New-Engine 'Get-DockerImage @given; "next line"' @{ given = (Get-Given $image $file) }
        $output = New-Object 'System.Management.Automation.PSDataCollection[psobject]'
        try {
            $null = $shell.BeginInvoke((New-Object 'System.Management.Automation.PSDataCollection[psobject]'), $output)
            # Until the bar shows that all of the others has come, and all that comes of the first.
            $sum = ($image.Layers | Measure-Object -Property size -Sum).Sum
            $wanted = [Math]::Floor(100 * ($sum - ($image.Layers[0].size - 2000000)) / $sum)
            $id = [guid]::NewGuid().ToString()
            $null = Register-ObjectEvent -InputObject $shell.Streams.Progress -EventName DataAdded -SourceIdentifier $id
            do {
                $percent = @($shell.Streams.Progress | Where-Object { $_.ActivityId -eq 0 } | ForEach-Object { $_.PercentComplete }) | Select-Object -Last 1
                if ($percent -ge $wanted) { break }
                $more = Wait-Event -SourceIdentifier $id -Timeout 60
                $more | Remove-Event
            } while ($more)
            Unregister-Event -SourceIdentifier $id
            $percent | Should -BeGreaterOrEqual $wanted
            $clock = [System.Diagnostics.Stopwatch]::StartNew()
            $shell.Stop()
            # Long before the stalled connection would be given up.
            $clock.Elapsed.TotalSeconds | Should -BeLessThan 10
            @($output) | Should -BeNullOrEmpty
        }
        finally { $shell.Runspace.Dispose(); $shell.Dispose() }
        [IO.File]::ReadAllText($file) | Should -BeExactly 'older'
        $kept = @($image.Layers | ForEach-Object { $_.digest.Replace(':', '-') })
        Get-FolderContent $folder | Should -Be (@('rootfs.tar.gz', 'rootfs.tar.gz.layers') + @(@("$($kept[0]).partial", "$($kept[0]).partial.digest", $kept[1], $kept[2]) |
                ForEach-Object { Join-Path 'rootfs.tar.gz.layers' $_ }) | Sort-Object)

        Remove-TestRoute $paths[0]
        $before = @(Get-TestLog -Repository $image.Repository).Count
        $given = Get-Given $image $file
        Assert-Hash $file (Get-DockerImage @given 6>$null)
        Assert-ThreeLayer $file
        Get-FolderContent $folder | Should -Be @('rootfs.tar.gz')
        $asked = @(Get-TestLog -Repository $image.Repository | Select-Object -Skip $before | Where-Object { $paths -contains $_.path })
        $asked.Count | Should -Be 1
        $asked[0].path | Should -Be $paths[0]
        $asked[0].headers.range | Should -Match '^bytes=[1-9]\d+-'
    }

    It 'that cannot be fetched leaves an older file, and no half one' {
        $image = Add-TestImage -Layer @(Get-ThreeLayer 1000)
        Add-TestRoute "/v2/$($image.Repository)/blobs/$($image.Layers[1].digest)" @(@{ status = 404 })
        [IO.File]::WriteAllText($file, 'older')
        $given = Get-Given $image $file
        $failure = Get-Failure { Get-DockerImage @given }
        $failure.Exception | Should -BeOfType ([WslImageDownloadException])
        $failure.FullyQualifiedErrorId | Should -BeLike 'BlobNotFound,*'
        $failure.Exception.Message | Should -BeLike 'Failed to download Docker image layer: *'
        [IO.File]::ReadAllText($file) | Should -BeExactly 'older'
    }

    It 'of zstd layers becomes one of gzip' {
        $tar = New-Tar ((Get-RootEntry) + @(@{ Name = 'zeros'; Bytes = (New-Object byte[] 300000) }))
        $layer = @{ base64 = [Convert]::ToBase64String((ConvertTo-Zstd $tar)); mediaType = 'application/vnd.oci.image.layer.v1.tar+zstd' }
        $config = '{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["sha256:' + (Get-Hash $tar) + '"]}}'
        $image = Add-TestImage -Layer $layer -ConfigText $config
        $given = Get-Given $image $file
        Assert-Hash $file (Get-DockerImage @given 6>$null)
        [IO.File]::ReadAllBytes($file)[0..1] | Should -Be @(0x1f, 0x8b)
        Get-ArchiveName $file | Should -Be @('bin/', 'bin/sh', 'etc/', 'etc/os-release', 'zeros')
    }
}

Describe 'Get-DockerImageManifest of several layers' {
    It 'gives digest, size and media type of the whole, and each layer' {
        $image = Add-TestImage -Layer @(Get-ThreeLayer 1000)
        $manifest = Get-DockerImageManifest -ImageName $image.Repository -Tag latest @at 6>$null
        $manifest.GetType() | Should -Be ([hashtable])
        $manifest.digest | Should -BeExactly $image.Manifests[0]
        $manifest.mediaType | Should -BeExactly 'application/vnd.oci.image.manifest.v1+json'
        $manifest.size | Should -Be ($image.Layers | Measure-Object -Property size -Sum).Sum
        $number = (ConvertFrom-Json -InputObject '{"n":1}').n.GetType()
        $manifest.size.GetType() | Should -Be $number
        $manifest.layers.GetType() | Should -Be ([object[]])
        $manifest.layers.Count | Should -Be 3
        for ($i = 0; $i -lt 3; $i++) {
            $manifest.layers[$i].GetType() | Should -Be ([hashtable])
            @($manifest.layers[$i].Keys | Sort-Object) | Should -Be @('digest', 'mediaType', 'size')
            $manifest.layers[$i].digest | Should -BeExactly $image.Layers[$i].digest
            $manifest.layers[$i].Size | Should -Be $image.Layers[$i].size
            $manifest.layers[$i].size.GetType() | Should -Be $number
            $manifest.layers[$i].mediaType | Should -BeExactly $image.Layers[$i].mediaType
        }
    }

    It 'gives no layers of an image that has one' {
        (Get-DockerImageManifest -ImageName (Add-TestImage).Repository -Tag latest @at 6>$null).ContainsKey('layers') | Should -BeFalse
    }
}

Describe '-WhatIf' {
    It 'says what <Count> layers would become, fetches none of them, and leaves nothing' -ForEach @(@{ Count = 1 }, @{ Count = 3 }) {
        $layers = @(Get-ThreeLayer 2000)[0..($Count - 1)]
        $image = Add-TestImage -Layer $layers
        $folder = Join-Path $TestDrive 'what-if'
        $run = Invoke-Shell -Folder $TestDrive -Environment @{ TEST_IMAGE = $image.Repository; TEST_FILE = (Join-Path $folder 'rootfs.tar.gz') } -Script @'
Import-Module $env:WSLIMAGE_MODULE
$result = Get-DockerImage -ImageName $env:TEST_IMAGE -DestinationFile $env:TEST_FILE -Registry $env:WSLIMAGE_TEST_REGISTRY_HTTPS -CACertificatePath $env:WSLIMAGE_TEST_REGISTRY_CA -WhatIf 6>$null
"result=$result."
'@
        $run.Output | Should -Match 'result=\.'
        $said = $run.Output -replace '\s+', ' '
        $said | Should -Match ([regex]::Escape("$($registry.Https)/$($image.Repository):latest for linux/amd64"))
        $said | Should -Match ([regex]::Escape("$(Join-Path $folder 'rootfs.tar.gz')"))
        $wanted = if ($Count -eq 1) { $image.Digest } else { $image.Manifests[0], "$Count layers (" }
        foreach ($part in @($wanted)) { $said | Should -Match ([regex]::Escape($part)) }
        Test-Path -LiteralPath $folder | Should -BeFalse
        Get-BlobRequest $image | Should -BeNullOrEmpty
    }
}

Describe '-Format' {
    BeforeAll { $image = Add-TestImage -Layer @(Get-ThreeLayer 2000) }
    BeforeEach { $file = Join-Path $TestDrive "$([guid]::NewGuid().ToString('N'))" }

    It '<Format> begins as it should, and is what its hash says' -ForEach @(
        @{ Format = 'TarGz'; Begin = @(0x1f, 0x8b, 8) }, @{ Format = 'Tar'; Begin = @(0x62, 0x69, 0x6e) }, @{ Format = 'TarXz'; Begin = @(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0) }) {
        $given = Get-Given $image $file
        Assert-Hash $file (Get-DockerImage @given -Format $Format 6>$null)
        [IO.File]::ReadAllBytes($file)[0..($Begin.Count - 1)] | Should -Be $Begin
        # .NET alone reads no xz.
        if ((Test-Tar) -or $Format -ne 'TarXz') { Assert-ThreeLayer $file }
    }

    It 'Original writes one layer as it is, whatever it is' {
        $one = Add-TestImage -Layer (New-Layer (Get-RootEntry) -Plain)
        $given = Get-Given $one $file
        Get-DockerImage @given -Format Original 6>$null | Should -BeExactly $one.Hex
        Assert-Hash $file $one.Hex
    }

    It 'Original refuses several layers in the original''s words' {
        $given = Get-Given $image $file
        $failure = Get-Failure { Get-DockerImage @given -Format Original }
        $failure.Exception.Message | Should -BeLike 'The image should have exactly one layer*'
        $failure.FullyQualifiedErrorId | Should -BeLike 'UnsupportedImage,*'
        $failure.ErrorDetails.RecommendedAction | Should -Not -BeNullOrEmpty
        Test-Path -LiteralPath $file | Should -BeFalse
    }

    It 'takes no other word' {
        $given = Get-Given $image $file
        (Get-Failure { Get-DockerImage @given -Format Zip }).FullyQualifiedErrorId | Should -BeLike 'CannotConvertArgumentNoMessage,*'
        (Get-Failure { Get-DockerImage @given -Format 7 }).FullyQualifiedErrorId | Should -BeLike '*,*'
    }
}

Describe '-MaximumUncompressedSize' {
    It 'ends what becomes larger' {
        $image = Add-TestImage -Layer @((New-Layer (Get-RootEntry)), (New-Layer @(@{ Name = 'zeros'; Bytes = (New-Object byte[] 2000000) })))
        $file = Join-Path $TestDrive 'large.tar.gz'
        $given = Get-Given $image $file
        $failure = Get-Failure { Get-DockerImage @given -MaximumUncompressedSize 1MB }
        $failure.Exception | Should -BeOfType ([WslImageDownloadException])
        $failure.FullyQualifiedErrorId | Should -BeLike 'UnsupportedImage,*'
        $failure.Exception.Message | Should -Match '1048576'
        Test-Path -LiteralPath $file | Should -BeFalse
        Get-DockerImage @given -MaximumUncompressedSize 3MB 6>$null | Should -Match '^\w{64}$'
    }

    It 'is a number of bytes above 0' {
        (Get-Failure { Get-DockerImage -ImageName a/b -DestinationFile x -MaximumUncompressedSize 0 }).FullyQualifiedErrorId | Should -BeLike 'ParameterArgumentValidationError,*'
    }
}

Describe 'A warning' {
    It 'is written for <What>' -ForEach @(
        @{ What = 'a layer that is no archive'; Layer = { @{ text = 'no archive' } }; Warning = '*is not a tar archive: wsl --import refuses it.' }
        @{ What = 'no /bin/sh'; Layer = { New-Layer @(@{ Name = 'etc/' }) }; Warning = 'The image has no /bin/sh:*' }
        @{ What = 'no /etc'; Layer = { New-Layer @(@{ Name = 'bin/' }, @{ Name = 'bin/sh'; Text = 'x' }) }; Warning = 'The image has no /etc:*' }
        @{ What = 'neither'; Layer = { New-Layer @(@{ Name = 'opt/' }) }; Warning = 'The image has neither /bin/sh nor /etc:*' }) {
        $image = Add-TestImage -Layer (& $Layer)
        $run = Invoke-Engine 'Get-DockerImage @given' @{ given = (Get-Given $image (Join-Path $TestDrive "$($image.Hex).tar.gz")) }
        $run.Output | Should -BeExactly @($image.Hex)
        $run.Warning.Count | Should -Be 1
        $run.Warning[0] | Should -BeLike $Warning
    }

    It 'is not written for what WSL takes, and -Verbose says why a layer is changed' {
        $image = Add-TestImage -Layer (New-Layer ((Get-RootEntry) + @(@{ Name = 'etc/.wh.gone' })))
        $run = Invoke-Engine 'Get-DockerImage @given -Verbose' @{ given = (Get-Given $image (Join-Path $TestDrive 'whiteout.tar.gz')) }
        $run.Warning | Should -BeNullOrEmpty
        $run.Output | Should -Not -Be @($image.Hex)
        @($run.Verbose | Where-Object { $_ -like 'The layer is not the archive as it is, because of *a whiteout*' }).Count | Should -Be 1
    }
}

Describe 'The platform' {
    BeforeAll {
        $machine = [WslImage.RegistryCmdlet].Assembly.GetType('WslImage.Machine').GetProperty('IsArm64', [Reflection.BindingFlags] 'NonPublic, Static')
        $wasArm64 = $machine.GetValue($null)
        $image = Add-TestImage -Platform @(foreach ($one in 'amd64', 'arm64') {
                @{ platform = @{ os = 'linux'; architecture = $one }; layers = @(New-Layer ((Get-RootEntry) + @(@{ Name = $one }))) ; configText = "{`"os`":`"linux`",`"architecture`":`"$one`"}" } })
    }
    AfterEach { $machine.SetValue($null, $wasArm64) }

    It 'is linux/amd64 unless asked otherwise, and that is warned of on an ARM64 machine' {
        foreach ($isArm64 in $true, $false) {
            $machine.SetValue($null, $isArm64)
            $file = Join-Path $TestDrive "arm64-$isArm64.tar.gz"
            $run = Invoke-Engine 'Get-DockerImage @given' @{ given = (Get-Given $image $file) }
            Get-ArchiveName $file | Should -Contain 'amd64'
            $run.Warning.Count | Should -Be ([int] $isArm64)
            if ($isArm64) { $run.Warning[0] | Should -Match '-Platform linux/arm64' }
        }
    }

    It 'is not warned of where it was asked for: <Platform>' -ForEach @(@{ Platform = 'linux/arm64' }, @{ Platform = 'linux/amd64' }) {
        $machine.SetValue($null, $true)
        $file = Join-Path $TestDrive "asked-$($Platform.Replace('/', '-')).tar.gz"
        $run = Invoke-Engine 'Get-DockerImage @given' @{ given = (Get-Given $image $file) + @{ Platform = $Platform } }
        $run.Warning | Should -BeNullOrEmpty
        Get-ArchiveName $file | Should -Contain $Platform.Split('/')[1]
    }

    It 'that is not there fails with those that are' {
        $given = Get-Given $image (Join-Path $TestDrive 'none.tar.gz')
        $failure = Get-Failure { Get-DockerImage @given -Platform linux/s390x }
        $failure.FullyQualifiedErrorId | Should -BeLike 'PlatformNotFound,*'
        $failure.CategoryInfo.Category | Should -Be 'ObjectNotFound'
        $failure.TargetObject | Should -Be 'linux/s390x'
        $failure.Exception.Message | Should -Match 'linux/amd64, linux/arm64'
    }

    It 'of a Windows image is refused in words' {
        $windows = Add-TestImage -Platform @(@{ platform = @{ os = 'windows'; architecture = 'amd64' }; layers = @(@{ text = 'x' }); configText = '{"os":"windows","architecture":"amd64"}' })
        $given = Get-Given $windows (Join-Path $TestDrive 'windows.tar.gz')
        $failure = Get-Failure { Get-DockerImage @given }
        $failure.FullyQualifiedErrorId | Should -BeLike 'PlatformNotFound,*'
        $failure.ErrorDetails.RecommendedAction | Should -Match 'It is a Windows image; WSL runs Linux distributions'
        $failure = Get-Failure { Get-DockerImage @given -Platform windows/amd64 }
        $failure.FullyQualifiedErrorId | Should -BeLike 'UnsupportedImage,*'
        $failure.CategoryInfo.Category | Should -Be 'InvalidType'
        $failure.Exception.Message | Should -BeLike 'An image for windows/amd64 is a Windows image; WSL runs Linux distributions*'
    }
}

Describe 'Progress of several layers' {
    It 'is a bar for the whole, one for each layer under it, and one for the writing' {
        $image = Add-TestImage -Layer @(Get-ThreeLayer 2000000)
        foreach ($layer in $image.Layers) { Add-TestRoute "/v2/$($image.Repository)/blobs/$($layer.digest)" @(@{ pass = $true; bytesPerSecond = 1500000 }) }
        $file = Join-Path $TestDrive 'progress.tar.gz'
        $run = Invoke-Engine 'Get-DockerImage @given' @{ given = (Get-Given $image $file) }
        $run.ErrorRecord | Should -BeNullOrEmpty
        $groups = @($run.Progress | Group-Object ActivityId)
        @($groups | ForEach-Object { $_.Name } | Sort-Object) | Should -Be @('0', '1', '2', '3')
        foreach ($group in $groups) { $group.Group[-1].RecordType | Should -Be 'Completed' -Because "activity $($group.Name)" }
        $run.Progress[-1].ActivityId | Should -Be 0
        foreach ($id in 1, 2, 3) {
            $bars = @($run.Progress | Where-Object { $_.ActivityId -eq $id })
            foreach ($bar in $bars) { $bar.ParentActivityId | Should -Be 0; $bar.Activity | Should -BeExactly "Layer $id of 3" }
            $moving = @($bars | Where-Object { $_.RecordType -eq 'Processing' })
            $moving.Count | Should -BeGreaterThan 1
            $moving[0].CurrentOperation | Should -BeExactly $image.Layers[$id - 1].digest
            for ($i = 1; $i -lt $moving.Count; $i++) { $moving[$i].PercentComplete | Should -BeGreaterOrEqual $moving[$i - 1].PercentComplete }
        }
        $whole = @($run.Progress | Where-Object { $_.ActivityId -eq 0 -and $_.RecordType -eq 'Processing' } | Group-Object Activity)
        @($whole | ForEach-Object { $_.Name }) | Should -Be @("Downloading $($registry.Https)/$($image.Repository):latest", "Writing $file")
        foreach ($phase in $whole) {
            $percents = @($phase.Group | ForEach-Object { $_.PercentComplete })
            for ($i = 1; $i -lt $percents.Count; $i++) { $percents[$i] | Should -BeGreaterOrEqual $percents[$i - 1] }
        }
    }
}

Describe '-Path' {
    BeforeAll {
        $source = (New-Item -ItemType Directory -Path (Join-Path $TestDrive 'source')).FullName
        $lower = New-Tar ((Get-RootEntry) + @(@{ Name = 'etc/gone'; Text = 'gone' }))
        $upper = New-Tar @(@{ Name = 'etc/.wh.gone' }, @{ Name = 'etc/new'; Text = 'new' })
        $names = @('bin/', 'bin/sh', 'etc/', 'etc/new', 'etc/os-release')
        New-Layout (Join-Path $source 'layout') @(@{ Name = 'one'; Layer = @($lower, $upper) })
        New-Layout (Join-Path $source 'images') @(@{ Name = 'first'; Layer = @(, $lower) }, @{ Name = 'second'; Layer = @($lower, $upper) })
        New-DockerArchive (Join-Path $source 'saved.tar') 'name:tag' @($lower, $upper)
        New-Archive (Join-Path $source 'layout.tar') (Join-Path $source 'layout')
    }
    BeforeEach { $file = Join-Path $TestDrive "$([guid]::NewGuid().ToString('N')).tar.gz" }

    It 'takes <What>' -ForEach @(@{ What = 'the folder of an OCI layout'; Name = 'layout' }, @{ What = 'an archive of one'; Name = 'layout.tar' }, @{ What = 'what docker save writes'; Name = 'saved.tar' }) {
        $path = Join-Path $source $Name
        $run = Invoke-Engine 'Get-DockerImage -Path $path -DestinationFile $file' @{ path = $path; file = $file }
        $run.ErrorRecord | Should -BeNullOrEmpty
        $run.Warning | Should -BeNullOrEmpty
        Assert-Hash $file $run.Output[0]
        Get-ArchiveName $file | Should -Be $names
        $run.Line.Count | Should -Be 3
        $run.Line[0] | Should -BeExactly "$(Get-Sign Working) Reading Docker image from $path..."
        $run.Line[1] | Should -BeLike "$(Get-Sign Fact) Root filesystem size: *, 2 layers. Digest sha256:*. Writing..."
        $run.Line[2] | Should -BeExactly "$(Get-Sign Done) Successfully wrote Docker image to $file. File size: $((Get-Item -LiteralPath $file).Length) B"
        Get-DockerImage -Path $path -DestinationFile $file 6>$null | Should -BeExactly $run.Output[0]
    }

    It 'writes one layer of a layout as it is' {
        $hash = Get-DockerImage -Path (Join-Path $source 'images') -Tag first -DestinationFile $file 6>$null
        Assert-Hash $file $hash
        $manifest = Get-DockerImageManifest -Path (Join-Path $source 'images') -Tag first 6>$null
        $manifest.digest | Should -BeExactly "sha256:$hash"
        $manifest.size | Should -Be (Get-Item -LiteralPath $file).Length
    }

    It 'is a path of PowerShell''s: <What>' -ForEach @(
        @{ What = 'relative to its location'; Path = { 'layout' } }, @{ What = 'on a drive of its own'; Path = { 'WslImageSource:\layout' } }, @{ What = '~'; Path = { Join-Path '~' 'layout' } }) {
        $run = Invoke-Engine '$null = New-PSDrive -Name WslImageSource -PSProvider FileSystem -Root $source; (Get-PSProvider FileSystem).Home = $source; Set-Location -LiteralPath $source; Get-DockerImage -Path $path -DestinationFile $file 6>$null' @{
            source = $source; path = (& $Path); file = $file }
        $run.ErrorRecord | Should -BeNullOrEmpty
        Assert-Hash $file $run.Output[0]
    }

    It 'gives the manifest too' {
        $manifest = Get-DockerImageManifest -Path (Join-Path $source 'images') -Tag second 6>$null
        $manifest.config.Labels.title | Should -BeExactly 'second'
        $manifest.layers.Count | Should -Be 2
        $manifest.digest | Should -Match '^sha256:\w{64}$'
        $manifest.os | Should -Be 'linux'
    }

    It 'takes -Format, and -WhatIf' {
        Assert-Hash $file (Get-DockerImage -Path (Join-Path $source 'layout') -DestinationFile $file -Format Tar 6>$null)
        Get-ArchiveName $file | Should -Be $names
        Remove-Item -LiteralPath $file
        Get-DockerImage -Path (Join-Path $source 'layout') -DestinationFile $file -WhatIf 6>$null | Should -BeNullOrEmpty
        Test-Path -LiteralPath $file | Should -BeFalse
    }

    It 'fails for <What> as it should' -ForEach @(
        @{ What = 'nothing there'; Given = { @{ Path = (Join-Path $source 'missing.tar') } }; Id = 'ImageNotFound'; Message = 'missing.tar' }
        @{ What = 'no path of the file system'; Given = { @{ Path = 'Env:\PATH' } }; Id = 'InvalidArgument'; Message = 'must be a path of the file system' }
        @{ What = 'one of several images'; Given = { @{ Path = (Join-Path $source 'images') } }; Id = 'InvalidReference'; Message = 'first.*second' }
        @{ What = 'a tag that is not there'; Given = { @{ Path = (Join-Path $source 'layout'); Tag = 'other' } }; Id = 'ImageNotFound'; Message = 'one' }
        @{ What = 'another platform'; Given = { @{ Path = (Join-Path $source 'layout'); Platform = 'linux/arm64' } }; Id = 'PlatformNotFound'; Message = 'linux/amd64' }
        @{ What = 'the folder of a root filesystem'; Given = { $null = New-Item -ItemType Directory -Path (Join-Path $source 'root/etc') -Force; [IO.File]::WriteAllText((Join-Path $source 'root/etc/os-release'), ''); @{ Path = (Join-Path $source 'root') } }
            Id = 'UnsupportedImage'; Message = 'wsl --import' }) {
        $given = & $Given
        foreach ($failure in (Get-Failure { Get-DockerImage @given -DestinationFile $file }), (Get-Failure { Get-DockerImageManifest @given })) {
            $failure.Exception | Should -BeOfType ([WslImageDownloadException])
            $failure.FullyQualifiedErrorId | Should -BeLike "$Id,*"
            $failure.Exception.Message | Should -Match $Message
            $failure.TargetObject | Should -Not -BeNullOrEmpty
        }
        Test-Path -LiteralPath $file | Should -BeFalse
    }

    It 'goes with nothing that is for a registry: -<Name>' -ForEach @(@{ Name = 'Registry'; Value = 'ghcr.io' }, @{ Name = 'ImageName'; Value = 'a/b' }, @{ Name = 'Mirror'; Value = 'mirror' }) {
        $more = @{ $Name = $Value }
        (Get-Failure { Get-DockerImage -Path x -DestinationFile $file @more }).FullyQualifiedErrorId | Should -BeLike 'AmbiguousParameterSet,*'
        (Get-Failure { Get-DockerImageManifest -Path x @more }).FullyQualifiedErrorId | Should -BeLike 'AmbiguousParameterSet,*'
    }

    It 'is not kept from working by a default for registries' {
        $run = Invoke-Engine '$PSDefaultParameterValues["Get-Docker*:Registry"] = "ghcr.io"; Get-DockerImage -Path $path -DestinationFile $file 6>$null' @{ path = (Join-Path $source 'layout'); file = $file }
        $run.ErrorRecord | Should -BeNullOrEmpty
        Assert-Hash $file $run.Output[0]
    }
}
