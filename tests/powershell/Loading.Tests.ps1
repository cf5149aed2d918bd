# Import-Module WslImage: from anywhere, more than once, and what it says when its library is not as it should be.
BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'TestRegistry.psm1')
    Import-Module (Join-Path $PSScriptRoot 'Engine.psm1')
    Import-Module $env:WSLIMAGE_MODULE
    $registry = Get-TestRegistry
    $image = Add-TestImage
    $variables = @{ TEST_IMAGE = $image.Repository; TEST_FOLDER = $TestDrive }
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

    It 'says nothing' {
        $run = Invoke-Shell -Folder $TestDrive -Script 'Import-Module $env:WSLIMAGE_MODULE'
        $run.ExitCode | Should -Be 0
        $run.Output | Should -BeNullOrEmpty
        $run.Error | Should -BeNullOrEmpty
    }
}

Describe 'The library' {
    It 'when missing is said in one sentence with the files that were tried' {
        $module = Copy-TestModule 'missing'
        $tried = (Get-Library $module)[0].Name
        Remove-Item -LiteralPath (Join-Path $module 'runtimes') -Recurse -Force
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
        Remove-Item -LiteralPath (Join-Path $module 'runtimes') -Recurse -Force
        $run = Invoke-Shell -Folder $TestDrive -WorkingDirectory $decoy -Environment ($variables + @{ TEST_MODULE = $module; LD_LIBRARY_PATH = $decoy; DYLD_LIBRARY_PATH = $decoy }) -Script @"
try { Import-Module `$env:TEST_MODULE -ErrorAction Stop; $call } catch { 'failed' }
"@
        $run.Output.Trim() | Should -BeExactly 'failed'
    }
}
