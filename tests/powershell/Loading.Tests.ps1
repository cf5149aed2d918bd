# Import-Module WslImage: from anywhere, more than once, and what it says when its library is not as it should be.
BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'TestRegistry.psm1')
    Import-Module (Join-Path $PSScriptRoot 'Engine.psm1')
    Import-Module $env:WSLIMAGE_MODULE
    $registry = Get-TestRegistry
    $image = Add-TestImage
    $variables = @{ TEST_IMAGE = $image.Repository; TEST_FOLDER = $TestDrive }
    $at = @{ Registry = $registry.Https; CACertificatePath = $registry.Ca }
    $given = @(1, 2 | ForEach-Object { @{ ImageName = $image.Repository; DestinationFile = (Join-Path $TestDrive "runspace-$_.tar.gz") } + $at })
    $call = 'Get-DockerImage -ImageName $env:TEST_IMAGE -Tag latest -DestinationFile (Join-Path $env:TEST_FOLDER "x.tar.gz") -Registry $env:WSLIMAGE_TEST_REGISTRY_HTTPS -CACertificatePath $env:WSLIMAGE_TEST_REGISTRY_CA 6>$null'
    # A copy of the module whose libraries the test may spoil.
    function Copy-TestModule([string] $Name) {
        $target = Join-Path (New-Item -ItemType Directory -Path (Join-Path $TestDrive $Name)).FullName 'WslImage'
        Copy-Item -LiteralPath $env:WSLIMAGE_MODULE -Destination $target -Recurse
        $target
    }
    function Get-Library([string] $Module) { @(Get-ChildItem -LiteralPath (Join-Path $Module 'runtimes') -Recurse | Where-Object { -not $_.PSIsContainer -and $_.Name -match 'wslimage\.(so|dll|dylib)$' }) }
    # What is said by whichever fails, the import or the first command.
    function Get-LoadingMessage([string] $Module) {
        $run = Invoke-Shell -Folder $TestDrive -Environment ($variables + @{ TEST_MODULE = $Module }) -Script @"
`$ErrorActionPreference = 'Stop'
try { Import-Module `$env:TEST_MODULE; `$null = $call; 'no failure' }
catch { `$_.Exception.Message }
"@
        $run.Output.Trim()
    }
}

Describe 'Import-Module' {
    It 'brings its commands and nothing else' {
        $module = Get-Module WslImage
        @($module.ExportedCommands.Keys | Sort-Object) | Should -Be @('Clear-WslImageCache', 'Get-DockerAuthToken', 'Get-DockerImage', 'Get-DockerImageManifest', 'Get-DockerImageTag', 'Get-WslImageCache')
        $module.ExportedVariables.Count | Should -Be 0
        foreach ($command in $module.ExportedCommands.Values) { $command.CommandType | Should -Be 'Cmdlet' }
    }

    It 'finds a manifest that is in order' {
        $manifest = Test-ModuleManifest -Path (Join-Path $env:WSLIMAGE_MODULE 'WslImage.psd1')
        $manifest.Version.ToString() | Should -Match '^\d+\.\d+\.\d+'
        $manifest.Description | Should -Not -BeNullOrEmpty
        @($manifest.CompatiblePSEditions | Sort-Object) | Should -Be @('Core', 'Desktop')
        @($manifest.ExportedCmdlets.Keys | Sort-Object) | Should -Be @('Clear-WslImageCache', 'Get-DockerAuthToken', 'Get-DockerImage', 'Get-DockerImageManifest', 'Get-DockerImageTag', 'Get-WslImageCache')
    }

    It 'carries no managed library but its own' {
        $libraries = @(Get-ChildItem -LiteralPath $env:WSLIMAGE_MODULE -Recurse -Filter '*.dll' | Where-Object { $_.FullName -notmatch '[\\/]runtimes[\\/]' })
        $libraries.Count | Should -BeGreaterThan 0
        @($libraries | ForEach-Object { $_.Name } | Sort-Object -Unique) | Should -Be @('WslImage.dll')
    }

    It 'works by full path from another folder, by relative path, and by name' {
        $parent = Split-Path (Copy-TestModule 'by name')
        foreach ($import in 'Import-Module (Join-Path $env:TEST_PARENT "WslImage")', 'Set-Location -LiteralPath $env:TEST_PARENT; Import-Module ./WslImage; Set-Location ..',
            '$env:PSModulePath = $env:TEST_PARENT + [IO.Path]::PathSeparator + $env:PSModulePath; Import-Module WslImage', '$env:PSModulePath = $env:TEST_PARENT + [IO.Path]::PathSeparator + $env:PSModulePath') {
            $run = Invoke-Shell -Folder $TestDrive -WorkingDirectory ([IO.Path]::GetTempPath()) -Environment ($variables + @{ TEST_PARENT = $parent }) -Script "$import`n$call"
            $run.Output.Trim() | Should -BeExactly $image.Hex -Because "$import`n$($run.Error)"
        }
    }

    It 'works from a folder with <Name>' -ForEach @(@{ Name = "$([char] 0xC4)$([char] 0x4E2D) and a space" }, @{ Name = "an apostrophe's" }) {
        $run = Invoke-Shell -Folder $TestDrive -Environment ($variables + @{ TEST_MODULE = (Copy-TestModule $Name) }) -Script "Import-Module `$env:TEST_MODULE`n$call"
        $run.Output.Trim() | Should -BeExactly $image.Hex -Because $run.Error
    }

    It 'works twice, with -Force, and after Remove-Module' {
        $run = Invoke-Shell -Folder $TestDrive -Environment $variables -Script @"
Import-Module `$env:WSLIMAGE_MODULE; Import-Module `$env:WSLIMAGE_MODULE
$call
Import-Module `$env:WSLIMAGE_MODULE -Force
$call
Remove-Module WslImage
Import-Module `$env:WSLIMAGE_MODULE
$call
try { Get-DockerImageManifest -ImageName `$env:TEST_IMAGE -Tag missing -Registry `$env:WSLIMAGE_TEST_REGISTRY_HTTPS -CACertificatePath `$env:WSLIMAGE_TEST_REGISTRY_CA 6>`$null } catch [WslImageDownloadException] { 'caught' }
"@
        $run.Output.Trim() -split '\r?\n' | Should -Be @($image.Hex, $image.Hex, $image.Hex, 'caught') -Because $run.Error
    }

    It 'says what is missing of a module that is not complete' {
        $module = Copy-TestModule 'not complete'
        Remove-Folder (Join-Path $module 'bin')
        Get-LoadingMessage $module | Should -Match '^WslImage is not complete: .*WslImage\.dll is missing\. Install the module again\.$'
    }

    It 'says nothing' {
        $run = Invoke-Shell -Folder $TestDrive -Script 'Import-Module $env:WSLIMAGE_MODULE'
        $run.ExitCode | Should -Be 0
        $run.Output | Should -BeNullOrEmpty
        $run.Error | Should -BeNullOrEmpty
    }
}

Describe 'The module in a session' {
    It 'serves two runspaces at once, and what one of them removes the other keeps' {
        $one = New-Engine 'Get-DockerImage @given' @{ given = $given[0] }
        $two = New-Engine 'Get-DockerImage @given' @{ given = $given[1] }
        try {
            $running = $one.BeginInvoke(), $two.BeginInvoke()
            "$($one.EndInvoke($running[0]))" | Should -BeExactly $image.Hex
            "$($two.EndInvoke($running[1]))" | Should -BeExactly $image.Hex
            $one.Commands.Clear()
            $null = $one.AddScript('Remove-Module WslImage').Invoke()
            "$($two.Invoke())" | Should -BeExactly $image.Hex
        }
        finally { foreach ($shell in $one, $two) { $shell.Runspace.Dispose(); $shell.Dispose() } }
    }

    It 'serves ForEach-Object -Parallel' {
        if (-not (Get-Command ForEach-Object).Parameters['Parallel']) { Set-ItResult -Skipped -Because 'this PowerShell has no ForEach-Object -Parallel' }
        $hashes = @(0..3 | ForEach-Object -ThrottleLimit 4 -Parallel {
            Import-Module $env:WSLIMAGE_MODULE
            $given = ($using:given)[0].Clone()
            $given.DestinationFile = Join-Path $using:TestDrive "parallel-$_.tar.gz"
            Get-DockerImage @given -InformationAction Ignore
        })
        $hashes | Should -Be (@($image.Hex) * 4)
    }

    It 'ends a download that runs when it is removed, with one error and without a file' {
        $slow = Add-TestImage -Layer @{ base64 = [Convert]::ToBase64String((Get-SampleByte 200000)) }
        Add-TestRoute $slow.BlobPath @(@{ pass = $true; stallAfter = 50000 })
        try {
            $folder = (New-Item -ItemType Directory -Path (Join-Path $TestDrive 'removed')).FullName
            $file = Join-Path $folder 'rootfs.tar.gz'
            $run = Invoke-Engine 'Get-DockerImage @given -Verbose 4>&1 6>&1 | ForEach-Object { if ("$_" -match "Digest sha256") { Remove-Module WslImage } }; "next line"' @{ given = @{ ImageName = $slow.Repository; DestinationFile = $file } + $at }
            $run.Output | Should -BeNullOrEmpty
            $run.ErrorRecord.FullyQualifiedErrorId | Should -BeLike 'Cancelled,*'
            Test-Path -LiteralPath $file | Should -BeFalse
        }
        finally { Remove-TestRoute $slow.BlobPath }
    }

    It 'works where the language is constrained' {
        $run = Invoke-Shell -Folder $TestDrive -Environment $variables -Script @"
`$file = Join-Path `$env:TEST_FOLDER 'constrained.tar.gz'
`$ExecutionContext.SessionState.LanguageMode = 'ConstrainedLanguage'
Import-Module `$env:WSLIMAGE_MODULE
`$ExecutionContext.SessionState.LanguageMode
$call
"@
        $run.Output.Trim() -split '\r?\n' | Should -Be @('ConstrainedLanguage', $image.Hex) -Because $run.Error
    }
}

Describe 'Two versions' {
    BeforeAll {
        $modules = (New-Item -ItemType Directory -Path (Join-Path $TestDrive 'modules')).FullName
        $version = (Import-PowerShellDataFile -LiteralPath (Join-Path $env:WSLIMAGE_MODULE 'WslImage.psd1')).ModuleVersion
        $later = "$(([version] $version).Major + 1)$($version.Substring($version.IndexOf('.')))"
        function Install-Version([string] $Version) {
            $null = New-Item -ItemType Directory -Path (Join-Path $modules 'WslImage') -Force
            Copy-Item -LiteralPath $env:WSLIMAGE_MODULE -Destination (Join-Path $modules (Join-Path 'WslImage' $Version)) -Recurse
        }
        # The same module as another version: in the manifest, in the assemblies' names and in what Windows shows of them.
        function Set-Version([string] $Version) {
            $folder = Join-Path $modules (Join-Path 'WslImage' $Version)
            $manifest = Join-Path $folder 'WslImage.psd1'
            [IO.File]::WriteAllText($manifest, ([IO.File]::ReadAllText($manifest) -replace "(ModuleVersion\s*= ')[^']*", "`${1}$Version"))
            $latin = [Text.Encoding]::GetEncoding(28591)
            $pack = { param($text) $numbers = [version] $text; "$([char] $numbers.Major)`0$([char] $numbers.Minor)`0$([char] $numbers.Build)`0`0`0" }
            $wide = { param($text) $latin.GetString([Text.Encoding]::Unicode.GetBytes($text)) }
            foreach ($framework in 'net8.0', 'net472') {
                $file = [IO.Path]::Combine($folder, 'bin', $framework, 'WslImage.dll')
                $content = $latin.GetString([IO.File]::ReadAllBytes($file))
                # The row of the assembly: the kind of its hash, and the version in four numbers.
                $content = $content.Replace("$([char] 4)$([char] 0x80)`0`0$(& $pack $script:version)", "$([char] 4)$([char] 0x80)`0`0$(& $pack $Version)")
                # Windows reads it from the resource, other systems from the attribute.
                $content = $content.Replace((& $wide "$script:version.0"), (& $wide "$Version.0")).Replace("$script:version.0", "$Version.0")
                [IO.File]::WriteAllBytes($file, $latin.GetBytes($content))
            }
        }
        $script:version = $version
        $path = '$env:PSModulePath = $env:TEST_MODULES + [IO.Path]::PathSeparator + $env:PSModulePath'
        Install-Version $version
    }

    It 'of which the later one is installed while a session uses the earlier one: that session goes on, and says in one sentence what to do' {
        Install-Version $later
        Set-Version $later
        $run = Invoke-Shell -Folder $TestDrive -Environment ($variables + @{ TEST_MODULES = $modules; TEST_EARLIER = $version; TEST_LATER = $later }) -Script @"
$path
Import-Module WslImage -RequiredVersion `$env:TEST_EARLIER
$call
try { Import-Module WslImage -RequiredVersion `$env:TEST_LATER -ErrorAction Stop; 'no failure' } catch { `$_.Exception.Message }
$call
"@
        $lines = @($run.Output.Trim() -split '\r?\n')
        $lines.Count | Should -Be 3 -Because "$($run.Output)$($run.Error)"
        $lines[0] | Should -BeExactly $image.Hex
        $lines[1] | Should -BeLike "This session uses another version of WslImage, from *$version*: start a new session to use version $later.0."
        $lines[2] | Should -BeExactly $image.Hex
    }

    It 'of which a new session takes the later one' {
        $run = Invoke-Shell -Folder $TestDrive -Environment ($variables + @{ TEST_MODULES = $modules }) -Script @"
$path
Import-Module WslImage
$call
(Get-Module WslImage).Version.ToString()
"@
        $run.Output.Trim() -split '\r?\n' | Should -Be @($image.Hex, $later) -Because $run.Error
    }
}

Describe 'The library' {
    It 'when missing is said in one sentence with the files that were tried' {
        $module = Copy-TestModule 'missing'
        $tried = (Get-Library $module)[0].Name
        Remove-Folder (Join-Path $module 'runtimes')
        $message = Get-LoadingMessage $module
        $message | Should -Match ([regex]::Escape((Join-Path $module 'runtimes')))
        $message | Should -Match ([regex]::Escape($tried))
        @($message -split '\r?\n').Count | Should -Be 1 -Because $message
    }

    It 'when broken is said with the reason' {
        $module = Copy-TestModule 'broken'
        foreach ($library in (Get-Library $module)) { [IO.File]::WriteAllText($library.FullName, 'this is no library') }
        $message = Get-LoadingMessage $module
        $message | Should -Match ([regex]::Escape((Join-Path $module 'runtimes')))
        $message | Should -Not -Match 'no failure'
        # Why the system did not load it, in its own words.
        $message | Should -Match '(?i)file too short|invalid ELF header|not a valid|not a mach-o|bad image|0x8007000B|193'
    }

    It 'when of another ABI version is said with both versions' {
        if (Test-Windows) { Set-ItResult -Skipped -Because 'the library of another version is compiled with cc, on Linux and macOS' }
        if (-not (Get-Command cc -CommandType Application -ErrorAction Ignore)) { Set-ItResult -Skipped -Because 'there is no C compiler to make a library of another version with' }
        $module = Copy-TestModule 'other version'
        $source = Join-Path $TestDrive 'other.c'
        [IO.File]::WriteAllText($source, 'unsigned int wslimage_abi_version(void) { return 4711; } const char *wslimage_version(void) { return "9.9.9"; }')
        foreach ($library in (Get-Library $module)) { & cc -shared -fPIC -o $library.FullName $source }
        $message = Get-LoadingMessage $module
        $message | Should -Match '\b4711\b'
        $message | Should -Match '\b3\b'
    }

    It 'is not taken from the current folder or the system''s path' {
        $module = Copy-TestModule 'elsewhere'
        $library = (Get-Library $module)[0]
        $decoy = (New-Item -ItemType Directory -Path (Join-Path $TestDrive 'decoy')).FullName
        Copy-Item -LiteralPath $library.FullName -Destination $decoy
        Remove-Folder (Join-Path $module 'runtimes')
        $run = Invoke-Shell -Folder $TestDrive -WorkingDirectory $decoy -Environment ($variables + @{ TEST_MODULE = $module; LD_LIBRARY_PATH = $decoy; DYLD_LIBRARY_PATH = $decoy }) -Script @"
try { Import-Module `$env:TEST_MODULE -ErrorAction Stop; $call } catch { 'failed' }
"@
        $run.Output.Trim() | Should -BeExactly 'failed'
    }
}
