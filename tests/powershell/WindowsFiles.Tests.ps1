# Files as Windows has them: its paths and names, who else has a file open, attributes and times.
BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'TestRegistry.psm1')
    Import-Module (Join-Path $PSScriptRoot 'Engine.psm1')
    Import-Module (Join-Path $PSScriptRoot 'Layers.psm1')
    Import-Module $env:WSLIMAGE_MODULE
    $registry = Get-TestRegistry
    $at = @{ Registry = $registry.Https; CACertificatePath = $registry.Ca }
    $image = Add-TestImage
    # More than what is not worth keeping after a failure.
    function Add-Large { Add-TestImage -Layer (New-Layer ((Get-RootEntry) + @(@{ Name = 'large'; Bytes = (Get-SampleByte 1200000) }))) }
    function Get-Image([string] $File, $Image = $image) { Get-DockerImage -ImageName $Image.Repository -DestinationFile $File @at 6>$null }
    # What this PowerShell may not open by a longer path, .NET does.
    function Get-Verbatim([string] $Path) { if ($Path.StartsWith('\\')) { $Path } else { "\\?\$Path" } }
    function Assert-Image([string] $File, $Image = $image) { Get-Hash ([IO.File]::ReadAllBytes((Get-Verbatim $File))) | Should -Be $Image.Hex }
    function New-Folder([string] $Name = [guid]::NewGuid().ToString('N')) { [IO.Directory]::CreateDirectory((Join-Path $TestDrive $Name)).FullName }
    # Letters that no code page has all of, spelled so that this file needs no encoding.
    $foreign = "Gr$([char] 0xF6)$([char] 0xDF)e-$([char] 0x65E5)$([char] 0x672C)-$([char]::ConvertFromUtf32(0x1F600))"
    $half = [char] 0xD83D
}

Describe 'The path of the destination' {
    BeforeEach {
        $folder = New-Folder
        $drive = $folder.Substring(0, 2)
    }

    It 'may be relative to the location on its drive, also from elsewhere' {
        Push-Location -LiteralPath $folder
        try {
            $null = Get-Image "$($drive)here.tar.gz"
            Push-Location 'Env:\'
            try { $null = Get-Image "$($drive)sub\there.tar.gz" } finally { Pop-Location }
        }
        finally { Pop-Location }
        Assert-Image "$folder\here.tar.gz"
        Assert-Image "$folder\sub\there.tar.gz"
    }

    It 'may begin at the root of the current drive, and have slashes' {
        Push-Location -LiteralPath $folder
        try {
            $null = Get-Image "$($folder.Substring(2))\rooted.tar.gz"
            $null = Get-Image "$($folder.Substring(2).Replace('\', '/'))/slashes.tar.gz"
        }
        finally { Pop-Location }
        Assert-Image "$folder\rooted.tar.gz"
        Assert-Image "$folder\slashes.tar.gz"
    }

    It 'may be relative to the location on a drive of PowerShell''s, and begin with ~' {
        $null = New-PSDrive -Name WslImageTest -PSProvider FileSystem -Root $folder
        $user = (Get-PSProvider FileSystem).Home
        try {
            $null = [IO.Directory]::CreateDirectory("$folder\sub")
            Push-Location 'WslImageTest:\sub'
            Pop-Location
            $null = Get-Image 'WslImageTest:relative.tar.gz'
            (Get-PSProvider FileSystem).Home = $folder
            $null = Get-Image '~\home.tar.gz'
            $null = Get-Image '~/sub/home.tar.gz'
        }
        finally { (Get-PSProvider FileSystem).Home = $user; Remove-PSDrive -Name WslImageTest }
        foreach ($name in 'sub\relative', 'home', 'sub\home') { Assert-Image "$folder\$name.tar.gz" }
    }

    It 'may be a share''s: <Prefix>' -ForEach @(@{ Prefix = '\\' }, @{ Prefix = '\\?\UNC\' }) {
        $shared = "localhost\$($drive[0])`$$($folder.Substring(2))"
        if (-not [IO.Directory]::Exists("\\$shared")) { Set-ItResult -Skipped -Because "this user has no access to \\$shared" }
        $null = Get-Image "$Prefix$shared\made\rootfs.tar.gz"
        $null = Get-Image "$Prefix$shared\made\rootfs.tar.gz"
        Assert-Image "$folder\made\rootfs.tar.gz"
        Get-FolderContent $folder | Should -Be @('made', 'made\rootfs.tar.gz')
        (Get-Failure { Get-Image "$Prefix$shared\made" }).Exception.Message | Should -BeLike "Failed to create destination file: $Prefix$shared\made. *"
    }

    It 'may begin with \\?\' {
        $null = Get-Image "\\?\$folder\made\verbatim.tar.gz"
        Assert-Image "$folder\made\verbatim.tar.gz"
        Get-FolderContent $folder | Should -Be @('made', 'made\verbatim.tar.gz')
    }

    It 'may have more than 260 characters: <What>' -ForEach @(
        @{ What = 'in its folder'; Prefix = ''; Sub = ('d' * 150) + '\' + ('e' * 150); Name = 'rootfs.tar.gz' }
        @{ What = 'in its folder, which is there'; Prefix = ''; Sub = ('d' * 150) + '\' + ('e' * 150); Name = 'rootfs.tar.gz'; Made = $true }
        @{ What = 'in its folder, with \\?\'; Prefix = '\\?\'; Sub = ('d' * 150) + '\' + ('e' * 150); Name = 'rootfs.tar.gz' }
        @{ What = 'in its name'; Prefix = ''; Sub = 'd' * 100; Name = ('n' * 233) + '.tar.gz' }
        @{ What = 'in its name, with \\?\'; Prefix = '\\?\'; Sub = 'd' * 100; Name = ('n' * 233) + '.tar.gz' }) {
        $long = "$folder\$Sub\$Name"
        $long.Length | Should -BeGreaterThan 260
        if ($Made) { $null = [IO.Directory]::CreateDirectory("\\?\$folder\$Sub") }
        try {
            Get-Image "$Prefix$long" | Should -BeExactly $image.Hex
            # A second time it is there.
            Get-Image "$Prefix$long" | Should -BeExactly $image.Hex
            Assert-Image $long
            @([IO.Directory]::GetFileSystemEntries("\\?\$folder\$Sub")).Count | Should -Be 1
        }
        # PowerShell 5.1 cannot.
        finally { Remove-Folder "\\?\$folder\$($Sub.Split('\')[0])" }
    }

    It 'is told in full where its name is too long: <Length> characters' -ForEach @(@{ Length = 241; Reason = 'Its name is too long' }, @{ Length = 256; Reason = 'no name of more than 255 characters' }) {
        $failure = Get-Failure { Get-Image "$folder\$('n' * $Length)" }
        $failure.Exception | Should -BeOfType ([WslImageException])
        $failure.Exception.Message | Should -Match $Reason
        Get-FolderContent $folder | Should -BeNullOrEmpty
    }
}

Describe 'A name that Windows has no file of' {
    BeforeEach { $folder = New-Folder }

    It '<Shown> is refused for what is wrong with it, and nothing is fetched or written' -ForEach @(
        foreach ($device in 'nul', 'NUL', 'con.tar.gz', 'COM1', 'lpt9.tar.gz', 'aux .gz', 'nul\rootfs.tar.gz', 'CONOUT$') {
            @{ Shown = $device; Name = $device; Reason = "`"$([regex]::Escape(($device -split '[.\\]')[0].Trim()))`" is the name of a device" }
        }
        @{ Shown = 'aux.'; Name = 'aux.'; Reason = 'drops the dot at the end of "aux\."' }
        @{ Shown = 'a dot at the end'; Name = 'rootfs.tar.gz.'; Reason = 'drops the dot at the end of "rootfs\.tar\.gz\."' }
        @{ Shown = 'a space at the end'; Name = 'rootfs.tar.gz '; Reason = 'drops the space at the end of "rootfs\.tar\.gz "' }
        @{ Shown = 'a dot at the end of a folder'; Name = 'sub.\rootfs.tar.gz'; Reason = 'drops the dot at the end of "sub\."' }
        foreach ($character in '<', '>', ':', '"', '|', '?', '*') {
            @{ Shown = "a name with $character"; Name = "a$($character)b.tar.gz"; Reason = "no \$character in a name" }
        }
        @{ Shown = 'a tab'; Name = "a`tb.tar.gz"; Reason = 'no control character \(U\+0009\) in a name' }
        @{ Shown = 'a control character'; Name = "a$([char] 1)b.tar.gz"; Reason = 'no control character \(U\+0001\) in a name' }) {
        $own = Add-TestImage
        # The engine of Windows PowerShell may refuse it before the module does.
        $told = if ($PSVersionTable.PSEdition -eq 'Desktop') { "$Reason|Illegal characters in path|path's format is not supported" } else { $Reason }
        $failure = Get-Failure { Get-Image "$folder\$Name" $own }
        $failure.Exception | Should -BeOfType ([WslImageException])
        $failure.Exception.Message | Should -Match $told
        $failure.FullyQualifiedErrorId | Should -Match '^(FileNotWritten|InvalidArgument),'
        Get-FolderContent $folder | Should -BeNullOrEmpty
        @(Get-TestLog -Path $own.BlobPath).Count | Should -Be 0
    }

    # Such a path can have them, and then hardly any program finds the file.
    It '<Name> is refused with \\?\ too' -ForEach @(@{ Name = 'nul'; Reason = 'is the name of a device' }, @{ Name = 'rootfs.'; Reason = 'drops the dot at the end' }) {
        (Get-Failure { Get-Image "\\?\$folder\$Name" }).Exception.Message | Should -Match $Reason
        Get-FolderContent $folder | Should -BeNullOrEmpty
    }

    It '<Path> is a device' -ForEach @(@{ Path = '\\.\nul' }, @{ Path = '\\.\pipe\wslimage-test' }, @{ Path = '\\.\C:' }) {
        $failure = Get-Failure { Get-Image $Path }
        $failure.Exception | Should -BeOfType ([WslImageException])
        $failure.Exception.Message | Should -BeLike "Failed to create destination file: $Path. It is a device, not a file*"
    }

    It 'is said of a NUL character too' {
        $failure = Get-Failure { Get-Image "$folder\a$([char] 0)b" }
        $failure.FullyQualifiedErrorId | Should -BeLike 'InvalidArgument,*'
        $failure.Exception.Message | Should -Match 'DestinationFile.*(NUL|Illegal characters|null character)'
        Get-FolderContent $folder | Should -BeNullOrEmpty
    }
}

Describe 'Letters beyond ASCII' {
    It 'are in the file''s name, its folder''s, the authority''s file''s, and what is told of them' {
        $folder = New-Folder $foreign
        $authority = "$folder\$foreign.pem"
        Copy-Item -LiteralPath $registry.Ca -Destination $authority
        $given = @{ ImageName = $image.Repository; DestinationFile = "$folder\$foreign.tar.gz"; Registry = $registry.Https; CACertificatePath = $authority }
        $run = Invoke-Engine 'Get-DockerImage @given' @{ given = $given }
        $run.ErrorRecord | Should -BeNullOrEmpty
        $run.Output[-1] | Should -BeExactly $image.Hex
        $run.Line[-1] | Should -Match ([regex]::Escape("$folder\$foreign.tar.gz"))
        Get-FolderContent $folder | Should -Be @(@("$foreign.pem", "$foreign.tar.gz") | Sort-Object)
        Assert-Image "$folder\$foreign.tar.gz"
        $failure = Get-Failure { Get-Image $folder }
        $failure.Exception.Message | Should -BeLike "Failed to create destination file: $folder. *"
        $failure.TargetObject | Should -BeExactly $folder
    }

    It 'are in what a registry says' {
        $own = Add-TestImage -Auth @{ scheme = 'none' }
        Add-TestRoute $own.ManifestPath @(@{ status = 403; body = "{`"errors`":[{`"code`":`"DENIED`",`"message`":`"$foreign`"}]}" })
        (Get-Failure { Get-DockerImageManifest -ImageName $own.Repository @at }).Exception.Message | Should -Match ([regex]::Escape($foreign))
    }

    It 'that are half of one are refused in -<Parameter>' -ForEach @(
        @{ Parameter = 'ImageName' }, @{ Parameter = 'Tag' }, @{ Parameter = 'Registry' }, @{ Parameter = 'DestinationFile' }, @{ Parameter = 'Platform' }
        @{ Parameter = 'CACertificatePath' }, @{ Parameter = 'Mirror' }, @{ Parameter = 'CachePath' }, @{ Parameter = 'Credential' }) {
        $folder = New-Folder
        $given = @{ ImageName = $image.Repository; DestinationFile = "$folder\rootfs.tar.gz" } + $at
        $broken = "$folder\$($half)b"
        $given[$Parameter] = if ($Parameter -eq 'Credential') { New-Object pscredential 'user', (ConvertTo-SecureString $broken -AsPlainText -Force) } else { $broken }
        $failure = Get-Failure { Get-DockerImage @given }
        $failure.FullyQualifiedErrorId | Should -BeLike 'InvalidArgument,*'
        $failure.CategoryInfo.Category | Should -Be 'InvalidArgument'
        $failure.Exception.Message | Should -BeExactly "The value of -$Parameter contains half of a surrogate pair, which is no character."
        Get-FolderContent $folder | Should -BeNullOrEmpty
    }

    It 'that are half of one do no harm in $env:' {
        Invoke-With @{ WSLIMAGE_TEST_HALF = "a$half" } {
            $env:WSLIMAGE_TEST_HALF | Should -BeExactly "a$half"
            Get-Image "$(New-Folder)\rootfs.tar.gz" | Should -BeExactly $image.Hex
        }
    }

    It 'that are half of one are refused in the name of the folder that a path is relative to' {
        $folder = New-Folder
        # NTFS can.
        try { $null = [IO.Directory]::CreateDirectory("$folder\a$half") } catch { Set-ItResult -Skipped -Because "this file system has no such names: $_" }
        Push-Location -LiteralPath "$folder\a$half"
        try { $failure = Get-Failure { Get-Image 'rootfs.tar.gz' } } finally { Pop-Location }
        $failure.Exception.Message | Should -BeExactly 'The value of -DestinationFile contains half of a surrogate pair, which is no character.'
        Get-FolderContent $folder | Should -Be @("a$half")
    }
}

Describe 'A file that another program has open' {
    BeforeEach {
        $folder = New-Folder
        $file = "$folder\rootfs.tar.gz"
        $mark = "$file.partial.digest"
        [IO.File]::WriteAllText($file, 'older')
        # How a program opens a file, and gives nobody leave to do so, or only to read it.
        function Open-File([string] $Path, [IO.FileShare] $Share) { New-Object IO.FileStream $Path, ([IO.FileMode]::Open), ([IO.FileAccess]::Read), $Share }
        # Gets the image, whose layer stalls, in another thread; and what came of it.
        function Start-Get($Image) {
            Add-TestRoute $Image.BlobPath @(@{ pass = $true; stallAfter = 100 })
            $shell = New-Engine 'Get-DockerImage @given -MaximumRetryCount 1' @{ given = @{ ImageName = $Image.Repository; DestinationFile = $file } + $at }
            $running = $shell.BeginInvoke()
            Wait-TestRequest $Image.BlobPath
            @{ Shell = $shell; Running = $running }
        }
        function Complete-Get($Run) {
            try { $Run.Shell.EndInvoke($Run.Running)[-1] } finally { $Run.Shell.Runspace.Dispose(); $Run.Shell.Dispose() }
        }
        # Returns when the file is complete and is to have its name.
        function Wait-Complete { [System.Threading.SpinWait]::SpinUntil({ -not [IO.File]::Exists($mark) }, 60000) | Should -BeTrue }
    }

    It 'is told, and <What>' -ForEach @(
        @{ What = 'a small file is fetched again'; Make = { Add-TestImage }; Kept = @(); Asked = 2 }
        @{ What = 'a large one is kept, so that only its name is missing'; Make = { Add-Large }; Kept = @('rootfs.tar.gz.partial', 'rootfs.tar.gz.partial.digest'); Asked = 1 }) {
        $own = & $Make
        $holder = Open-File $file ([IO.FileShare]::None)
        try { $failure = Get-Failure { Get-Image $file $own } } finally { $holder.Dispose() }
        $failure.Exception | Should -BeOfType ([WslImageDownloadException])
        $failure.FullyQualifiedErrorId | Should -BeLike 'FileNotWritten,*'
        $failure.Exception.Message | Should -BeLike "Failed to write destination file: $file. *Another program may have the file open*"
        [IO.File]::ReadAllText($file) | Should -BeExactly 'older'
        Get-FolderContent $folder | Should -Be (@('rootfs.tar.gz') + $Kept)

        Get-Image $file $own | Should -BeExactly $own.Hex
        Assert-Image $file $own
        @(Get-TestLog -Path $own.BlobPath).Count | Should -Be $Asked
        Get-FolderContent $folder | Should -Be @('rootfs.tar.gz')
    }

    It 'is told of an image of several layers too' {
        $own = Add-TestImage -Layer (Get-ThreeLayer)
        $holder = Open-File $file ([IO.FileShare]::None)
        try { $failure = Get-Failure { Get-Image $file $own } } finally { $holder.Dispose() }
        $failure.Exception.Message | Should -BeLike "Failed to write destination file: $file. *Another program may have the file open*"
        [IO.File]::ReadAllText($file) | Should -BeExactly 'older'
        Get-FolderContent $folder | Should -Be @('rootfs.tar.gz')
        $hash = Get-Image $file $own
        Assert-Image $file @{ Hex = $hash }
        Get-FolderContent $folder | Should -Be @('rootfs.tar.gz')
    }

    It 'is waited for a moment: <What>' -ForEach @(
        @{ What = 'the older file, which nobody else may open'; Name = ''; Share = [IO.FileShare]::None }
        @{ What = 'the older file, which others may read'; Name = ''; Share = [IO.FileShare]::Read }
        @{ What = 'the new file, which a scanner reads'; Name = '.partial'; Share = [IO.FileShare]::ReadWrite }) {
        $own = Add-Large
        $run = Start-Get $own
        $holder = Open-File "$file$Name" $Share
        try {
            Remove-TestRoute $own.BlobPath
            Wait-Complete
        }
        finally { $holder.Dispose() }
        Complete-Get $run | Should -BeExactly $own.Hex
        Assert-Image $file $own
        Get-FolderContent $folder | Should -Be @('rootfs.tar.gz')
    }

    It 'is waited for a moment: a layer that is in the archive now, which a scanner reads' {
        $own = Add-TestImage -Layer (Get-ThreeLayer)
        $run = Start-Get $own
        $layer = "$file.layers\$($own.Layers[1].digest.Replace(':', '-'))"
        [System.Threading.SpinWait]::SpinUntil({ [IO.File]::Exists($layer) }, 60000) | Should -BeTrue
        $holder = Open-File $layer ([IO.FileShare]::ReadWrite)
        try {
            Remove-TestRoute $own.BlobPath
            [System.Threading.SpinWait]::SpinUntil({ (New-Object IO.FileInfo $file).Length -gt 5 }, 60000) | Should -BeTrue
        }
        finally { $holder.Dispose() }
        Assert-Image $file @{ Hex = (Complete-Get $run) }
        Get-FolderContent $folder | Should -Be @('rootfs.tar.gz')
    }
}

Describe 'Attributes' {
    BeforeEach {
        $folder = New-Folder
        $file = "$folder\rootfs.tar.gz"
    }

    It 'that make a file read-only are honoured, and nothing is fetched' {
        $own = Add-TestImage
        [IO.File]::WriteAllText($file, 'older')
        [IO.File]::SetAttributes($file, 'ReadOnly')
        try {
            $failure = Get-Failure { Get-Image $file $own }
            $failure.Exception | Should -BeOfType ([WslImageException])
            $failure.Exception.Message | Should -BeLike "Failed to create destination file: $file. The file that is there is read-only*attrib -R*"
            [IO.File]::ReadAllText($file) | Should -BeExactly 'older'
            [IO.File]::GetAttributes($file) -band [IO.FileAttributes]::ReadOnly | Should -Be 'ReadOnly'
        }
        finally { [IO.File]::SetAttributes($file, 'Normal') }
        Get-FolderContent $folder | Should -Be @('rootfs.tar.gz')
        @(Get-TestLog -Path $own.BlobPath).Count | Should -Be 0
    }

    It 'of an older file do not come back with the new one' {
        [IO.File]::WriteAllText($file, 'older')
        [IO.File]::SetAttributes($file, 'Hidden, System')
        Get-Image $file | Should -BeExactly $image.Hex
        Assert-Image $file
        [IO.File]::GetAttributes($file) -band [IO.FileAttributes] 'Hidden, System' | Should -Be 0
    }

    It 'of the folder and of its other files stay, and the file is neither sparse nor compressed by itself' {
        $other = "$folder\other"
        [IO.File]::WriteAllText($other, 'other')
        # NTFS compresses what is made in such a folder, where there is the program to ask for it.
        if (Get-Command compact.exe -CommandType Application -ErrorAction Ignore) { $null = & compact.exe /c $folder }
        [IO.File]::SetAttributes($other, 'Hidden, ReadOnly')
        $asked = [IO.FileAttributes] 'Hidden, ReadOnly, NotContentIndexed'
        (Get-Item -LiteralPath $folder -Force).Attributes = [IO.File]::GetAttributes($folder) -bor $asked
        $before = [IO.File]::GetAttributes($folder), [IO.File]::GetAttributes($other)
        $before[0] -band [IO.FileAttributes]::Hidden | Should -Be 'Hidden'
        try {
            foreach ($own in (Add-Large), (Add-TestImage -Layer (Get-ThreeLayer 100000))) {
                $null = Get-Image $file $own
                [IO.File]::GetAttributes($folder), [IO.File]::GetAttributes($other) | Should -Be $before
                $inherited = $before[0] -band [IO.FileAttributes] 'Compressed, NotContentIndexed'
                [IO.File]::GetAttributes($file) -band -bnot [IO.FileAttributes] 'Archive, Normal' | Should -Be $inherited
            }
        }
        finally { foreach ($path in $other, $folder) { (Get-Item -LiteralPath $path -Force).Attributes = 'Normal' } }
    }

    It 'that tell when a file was written tell of here and now, not of the registry''s file or the older one' {
        $long = New-Object datetime 2001, 2, 3, 4, 5, 6, ([DateTimeKind]::Utc)
        Add-TestRoute $image.BlobPath @(@{ pass = $true; headers = @{ 'last-modified' = $long.ToString('r') } })
        [IO.File]::WriteAllText($file, 'older')
        [IO.File]::SetLastWriteTimeUtc($file, $long)
        try {
            # File systems that keep no more than two seconds: FAT.
            $begin = [datetime]::UtcNow.AddSeconds(-2)
            $null = Get-Image $file
            $when = [IO.File]::GetLastWriteTimeUtc($file)
            $when | Should -BeGreaterOrEqual $begin
            $when | Should -BeLessOrEqual ([datetime]::UtcNow.AddSeconds(2))
        }
        finally { Remove-TestRoute $image.BlobPath }
        # What is there already stays as it is.
        [IO.File]::SetLastWriteTimeUtc($file, $long)
        $null = Get-Image $file
        [IO.File]::GetLastWriteTimeUtc($file) | Should -Be $long
    }
}
