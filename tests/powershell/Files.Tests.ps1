# Where the file comes to lie, what was there before, and what is left after a failure.
BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'TestRegistry.psm1')
    Import-Module (Join-Path $PSScriptRoot 'Engine.psm1')
    Import-Module $env:WSLIMAGE_MODULE
    $registry = Get-TestRegistry
    $at = @{ Registry = $registry.Https; CACertificatePath = $registry.Ca }
    $image = Add-TestImage -Layer @{ base64 = [Convert]::ToBase64String((Get-SampleByte 100000)) }
    function Get-Image([string] $File) { Get-DockerImage -ImageName $image.Repository -Tag latest -DestinationFile $File @at 6>$null }
    function Assert-Image([string] $File) { (Get-FileHash -LiteralPath $File -Algorithm SHA256).Hash | Should -Be $image.Hex }
}

Describe 'The destination' {
    BeforeEach { $folder = (New-Item -ItemType Directory -Path (Join-Path $TestDrive ([guid]::NewGuid().ToString('N')))).FullName }

    It 'is relative to PowerShell''s location, not to the process''s' {
        $process = [Environment]::CurrentDirectory
        $elsewhere = (New-Item -ItemType Directory -Path (Join-Path $TestDrive 'elsewhere') -Force).FullName
        Push-Location -LiteralPath $folder
        try {
            [Environment]::CurrentDirectory = $elsewhere
            $null = Get-Image 'plain.tar.gz'
            $null = Get-Image (Join-Path '.' (Join-Path 'sub' 'dotted.tar.gz'))
            $null = Get-Image (Join-Path 'sub' (Join-Path '..' 'up.tar.gz'))
        }
        finally { [Environment]::CurrentDirectory = $process; Pop-Location }
        Assert-Image (Join-Path $folder 'plain.tar.gz')
        Assert-Image (Join-Path $folder (Join-Path 'sub' 'dotted.tar.gz'))
        Assert-Image (Join-Path $folder 'up.tar.gz')
        Get-FolderContent $elsewhere | Should -BeNullOrEmpty
    }

    It 'may lie on a drive of PowerShell''s' {
        $null = New-PSDrive -Name WslImageTest -PSProvider FileSystem -Root $folder
        try {
            $null = Get-Image 'WslImageTest:\sub\rootfs.tar.gz'
            Push-Location 'WslImageTest:\'
            try { $null = Get-Image 'relative.tar.gz' } finally { Pop-Location }
        }
        finally { Remove-PSDrive -Name WslImageTest }
        Assert-Image (Join-Path $folder (Join-Path 'sub' 'rootfs.tar.gz'))
        Assert-Image (Join-Path $folder 'relative.tar.gz')
    }

    It 'may begin with ~' {
        $run = Invoke-Engine '(Get-PSProvider FileSystem).Home = $folder; Get-DockerImage @given 6>$null' @{
            folder = $folder; given = @{ ImageName = $image.Repository; Tag = 'latest'; DestinationFile = (Join-Path '~' 'rootfs.tar.gz') } + $at }
        $run.ErrorRecord | Should -BeNullOrEmpty
        Assert-Image (Join-Path $folder 'rootfs.tar.gz')
    }

    It 'is named in the last line in full' {
        $run = Invoke-Engine 'Set-Location -LiteralPath $folder; Get-DockerImage @given' @{ folder = $folder; given = @{ ImageName = $image.Repository; Tag = 'latest'; DestinationFile = 'rootfs.tar.gz' } + $at }
        $run.Line[-1] | Should -BeLike "*to $(Join-Path $folder 'rootfs.tar.gz'). File size:*"
    }

    It 'gets the folders that are missing' {
        $file = Join-Path $folder (Join-Path 'a' (Join-Path 'b' (Join-Path 'c' 'rootfs.tar.gz')))
        $null = Get-Image $file
        Assert-Image $file
    }

    It 'may be named <Name>' -ForEach @(
        @{ Name = 'with [brackets] and (more).tar.gz' }, @{ Name = 'with  spaces.tar.gz' }, @{ Name = "with 'quotes'.tar.gz" }, @{ Name = '-ErrorAction.tar.gz' }, @{ Name = '.hidden' }
        @{ Name = "$([char] 0xC4)$([char] 0x4E2D)$([char]::ConvertFromUtf32(0x1F427)).tar.gz" }, @{ Name = ('n' * 120) + '.tar.gz' }) {
        $file = Join-Path $folder $Name
        $null = Get-DockerImage -ImageName $image.Repository -Tag latest -DestinationFile $file @at 6>$null
        Assert-Image $file
        Get-FolderContent $folder | Should -Be @($Name)
    }

    It 'replaces an older file wholly: <What>' -ForEach @(@{ What = 'longer'; Count = 300000 }, @{ What = 'shorter'; Count = 10 }, @{ What = 'empty'; Count = 0 }) {
        $file = Join-Path $folder 'rootfs.tar.gz'
        [IO.File]::WriteAllBytes($file, (New-Object byte[] $Count))
        $null = Get-Image $file
        Assert-Image $file
        Get-FolderContent $folder | Should -Be @('rootfs.tar.gz')
    }

    It 'is written again where it is there already' {
        $file = Join-Path $folder 'rootfs.tar.gz'
        Get-Image $file | Should -BeExactly (Get-Image $file)
        Assert-Image $file
    }
}

Describe 'After a failure' {
    BeforeEach {
        $folder = (New-Item -ItemType Directory -Path (Join-Path $TestDrive ([guid]::NewGuid().ToString('N')))).FullName
        $file = Join-Path $folder 'rootfs.tar.gz'
    }

    It 'by <What> an older file is as it was and nothing lies beside it' -ForEach @(
        @{ What = 'a missing tag'; Tag = 'missing'; Step = $null }
        @{ What = '401 for the layer'; Step = @{ status = 401 } }
        @{ What = '403 for the layer'; Step = @{ status = 403 } }
        @{ What = '404 for the layer'; Step = @{ status = 404 } }
        @{ What = '501 for the layer'; Step = @{ status = 501 } }
        @{ What = 'other bytes'; Step = @{ pass = $false; status = 200; body = 'x' * 100000 } }
        @{ What = 'fewer bytes'; Step = @{ status = 200; body = 'x' } }
        @{ What = 'more bytes'; Step = @{ status = 200; body = 'x' * 100001 } }
        @{ What = 'more bytes without a length'; Step = @{ status = 200; body = 'x' * 200000; chunked = $true } }
        @{ What = 'a cut'; Step = @{ pass = $true; cutAfter = 5000 } }
        @{ What = 'a cut without a length'; Step = @{ pass = $true; chunked = $true; cutAfter = 5000 } }
        @{ What = 'a reset'; Step = @{ pass = $true; resetAfter = 5000 } }
        @{ What = 'no answer'; Step = @{ closeBeforeResponse = $true } }) {
        $own = Add-TestImage -Layer @{ base64 = [Convert]::ToBase64String((Get-SampleByte 100000)) }
        if ($Step) { Add-TestRoute $own.BlobPath @($Step) }
        [IO.File]::WriteAllText($file, 'older')
        $when = (Get-Item -LiteralPath $file).LastWriteTimeUtc
        $failure = Get-Failure { Get-DockerImage -ImageName $own.Repository -Tag $(if ($Tag) { $Tag } else { 'latest' }) -DestinationFile $file -MaximumRetryCount 0 @at }
        $failure.Exception | Should -BeOfType ([WslImageDownloadException])
        [IO.File]::ReadAllText($file) | Should -BeExactly 'older'
        (Get-Item -LiteralPath $file).LastWriteTimeUtc | Should -Be $when
        Get-FolderContent $folder | Should -Be @('rootfs.tar.gz')

        Remove-Item -LiteralPath $file
        $failure = Get-Failure { Get-DockerImage -ImageName $own.Repository -Tag $(if ($Tag) { $Tag } else { 'latest' }) -DestinationFile $file -MaximumRetryCount 0 @at }
        $failure | Should -Not -BeNullOrEmpty
        Get-FolderContent $folder | Should -BeNullOrEmpty
    }

    It 'by a missing tag no folder was made' {
        $null = Get-Failure { Get-DockerImage -ImageName $image.Repository -Tag missing -DestinationFile (Join-Path $folder (Join-Path 'a' 'rootfs.tar.gz')) @at }
        Get-FolderContent $folder | Should -BeNullOrEmpty
    }

    It 'by a folder in the file''s place the folder is as it was' {
        $null = New-Item -ItemType Directory -Path $file
        [IO.File]::WriteAllText((Join-Path $file 'inside'), 'kept')
        $failure = Get-Failure { Get-Image $file }
        $failure.Exception | Should -BeOfType ([WslImageException])
        $failure.Exception.Message | Should -Match ([regex]::Escape('rootfs.tar.gz'))
        Get-FolderContent $folder | Should -Be @('rootfs.tar.gz', (Join-Path 'rootfs.tar.gz' 'inside'))
    }

    It 'by a file in the folder''s place the file is as it was' {
        [IO.File]::WriteAllText($file, 'older')
        $failure = Get-Failure { Get-Image (Join-Path $file 'rootfs.tar.gz') }
        $failure.Exception | Should -BeOfType ([WslImageException])
        [IO.File]::ReadAllText($file) | Should -BeExactly 'older'
    }

    It 'by a path that is no file''s nothing is asked for' {
        $before = @(Get-TestLog -Repository $image.Repository).Count
        $failure = Get-Failure { Get-Image 'Env:\WSLIMAGE_TEST_FILE' }
        $failure | Should -Not -BeNullOrEmpty
        @(Get-TestLog -Repository $image.Repository).Count | Should -Be $before
        $failure = Get-Failure { Get-Image 'NoSuchDrive:\rootfs.tar.gz' }
        $failure | Should -Not -BeNullOrEmpty
    }

    It 'by a full disk an older file is as it was' {
        if (Test-Windows) { Set-ItResult -Skipped -Because 'a small file system to fill is mounted on Linux only' }
        $mounted = "$(try { & mount -t tmpfs -o size=64k none $folder 2>&1 } catch { $_ })"
        if ($LASTEXITCODE -ne 0 -or $mounted) { Set-ItResult -Skipped -Because "no file system to fill can be mounted here: $mounted" }
        try {
            [IO.File]::WriteAllText($file, 'older')
            $failure = Get-Failure { Get-Image $file }
            $failure.Exception | Should -BeOfType ([WslImageException])
            $failure.Exception.Message | Should -Match 'It needs 100000 bytes more, and the disk has'
            [IO.File]::ReadAllText($file) | Should -BeExactly 'older'
            Get-FolderContent $folder | Should -Be @('rootfs.tar.gz')
        }
        finally { & umount $folder }
    }

    It 'by a folder that may not be written nothing is left' {
        if (Test-Windows) { Set-ItResult -Skipped -Because 'a folder is made read-only by its mode, on Linux and macOS' }
        if ("$(& id -u)" -eq '0') { Set-ItResult -Skipped -Because 'root may write into any folder' }
        & chmod 555 $folder
        try {
            $failure = Get-Failure { Get-Image $file }
            $failure.Exception | Should -BeOfType ([WslImageException])
            Get-FolderContent $folder | Should -BeNullOrEmpty
        }
        finally { & chmod 755 $folder }
    }
}
