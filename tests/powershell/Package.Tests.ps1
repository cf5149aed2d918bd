# The module's folder as it is installed: what it lists, what its scripts are, and that it needs nothing newer than 5.1 has.
BeforeDiscovery {
    # Each is a file that is read by Windows PowerShell 5.1.
    # An installed one has a folder for its version.
    $module = @($env:WSLIMAGE_MODULE) + @(Get-ChildItem -LiteralPath $env:WSLIMAGE_MODULE -Directory | ForEach-Object { $_.FullName }) | Where-Object { Test-Path -LiteralPath (Join-Path $_ 'WslImage.psd1') } | Select-Object -First 1
    $repository = [IO.Path]::GetFullPath([IO.Path]::Combine($PSScriptRoot, '..', '..'))
    $scripts = @(Get-ChildItem -LiteralPath $module, (Join-Path $repository 'docs') -Recurse -Include '*.ps1', '*.psm1', '*.psd1' | ForEach-Object { @{ Name = $_.Name; Path = $_.FullName } })
    $newer = @(
        @{ What = 'the ternary operator'; Text = '$true ? 1 : 2'; Since = 7.0 }
        @{ What = '??'; Text = '$a ?? 1'; Since = 7.0 }
        @{ What = '??='; Text = '$a ??= 1'; Since = 7.0 }
        @{ What = '?.'; Text = '${a}?.b'; Since = 7.1 }
        @{ What = '?[]'; Text = '${a}?[0]'; Since = 7.1 }
        @{ What = '&&'; Text = 'a && b'; Since = 7.0 }
        @{ What = '||'; Text = 'a || b'; Since = 7.0 }
        @{ What = '& behind a command'; Text = 'a &'; Since = 6.0 }
        @{ What = 'a clean block'; Text = 'function f { process { 1 } clean { 2 } }'; Since = 7.3 }
        @{ What = 'a number in binary'; Text = '0b101'; Since = 6.0 }
        @{ What = 'the suffix uy'; Text = '1uy'; Since = 6.1 }
        @{ What = 'the escape for a character'; Text = '"`u{41}"'; Since = 6.0 }
        @{ What = 'the escape e'; Text = '"`e[0m"'; Since = 6.0 }
        @{ What = 'ForEach-Object -Parallel'; Text = '1 | ForEach-Object -Parallel { 1 }'; Since = 7.0 }
        @{ What = 'a variable of PowerShell 7'; Text = 'if ($IsWindows) { 1 }'; Since = 6.0 }
        @{ What = 'a letter outside ASCII'; Text = "'$([char] 0x2026)'"; Since = 6.0 }
    )
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Engine.psm1')
    $module = (Import-Module $env:WSLIMAGE_MODULE -PassThru).ModuleBase
    $files = @(Get-FolderContent $module | Where-Object { Test-Path -LiteralPath (Join-Path $module $_) -PathType Leaf })

    # What Windows PowerShell 5.1 would not understand, or would understand in another way. Its own parser knows best; a newer one
    # names what is newer by kinds of nodes and tokens that 5.1 does not have.
    function Get-Newer([string] $Text) {
        $tokens = $errors = $null
        $tree = [System.Management.Automation.Language.Parser]::ParseInput($Text, [ref] $tokens, [ref] $errors)
        foreach ($one in $errors) { $one.Message }
        foreach ($node in $tree.FindAll({ $true }, $true)) {
            switch ($node.GetType().Name) {
                'TernaryExpressionAst' { 'a ternary operator' }
                'PipelineChainAst' { 'a pipeline chain' }
                'PipelineAst' { if ($node.PSObject.Properties['Background'] -and $node.Background) { 'a background operator' } }
                'MemberExpressionAst' { if ($node.PSObject.Properties['NullConditional'] -and $node.NullConditional) { 'a null-conditional member' } }
                'InvokeMemberExpressionAst' { if ($node.PSObject.Properties['NullConditional'] -and $node.NullConditional) { 'a null-conditional call' } }
                'IndexExpressionAst' { if ($node.PSObject.Properties['NullConditional'] -and $node.NullConditional) { 'a null-conditional index' } }
                'ScriptBlockAst' { if ($node.PSObject.Properties['CleanBlock'] -and $node.CleanBlock) { 'a clean block' } }
                'CommandParameterAst' { if ($node.ParameterName -in 'Parallel', 'AsHashtable', 'SkipCertificateCheck') { "the parameter -$($node.ParameterName)" } }
                'VariableExpressionAst' { if ($node.VariablePath.UserPath -in 'IsWindows', 'IsLinux', 'IsMacOS', 'IsCoreCLR') { "the variable $($node.Extent.Text)" } }
            }
        }
        foreach ($token in $tokens) {
            if ("$($token.Kind)" -in 'QuestionQuestion', 'QuestionQuestionEquals', 'QuestionDot', 'QuestionLBracket', 'QuestionMark') { "the operator $($token.Text)" }
            if ("$($token.Kind)" -in 'Number', 'Generic' -and $token.Text -match '^(0b[01]+|[0-9]+(u|n|y|s|us|uy|ul))$') { "the number $($token.Text)" }
            if ("$($token.Kind)" -match 'String(Expandable)$' -and $token.Text -match '(?<!`)(``)*`[ue]') { "an escape in $($token.Text)" }
        }
        # Without a mark at its beginning a file is read in the machine's own code page.
        if ($Text -match '[^\x00-\x7F]') { 'a letter outside ASCII' }
    }
}

Describe 'The package' {
    It 'lists its files, all of them, and no other' {
        $manifest = Import-PowerShellDataFile -LiteralPath (Join-Path $module 'WslImage.psd1')
        @($manifest.FileList | ForEach-Object { $_.Replace('/', [IO.Path]::DirectorySeparatorChar) } | Sort-Object) | Should -Be @($files | Sort-Object)
    }

    It 'names its exports, licence, project, tags and what is new' {
        $manifest = Import-PowerShellDataFile -LiteralPath (Join-Path $module 'WslImage.psd1')
        foreach ($key in 'FunctionsToExport', 'VariablesToExport', 'AliasesToExport') { ($manifest[$key] -is [array]) -and $manifest[$key].Count -eq 0 | Should -BeTrue -Because $key }
        @($manifest.CmdletsToExport | Where-Object { $_ -match '\*' }) | Should -BeNullOrEmpty
        $about = $manifest.PrivateData.PSData
        $about.LicenseUri | Should -Match '^https://'
        $about.ProjectUri | Should -Match '^https://'
        $about.ReleaseNotes | Should -Match 'Get-DockerImage'
        foreach ($tag in 'WSL', 'PSEdition_Desktop', 'PSEdition_Core') { $about.Tags | Should -Contain $tag }
    }

    It 'is no release while it lacks the library of a system, and says which' {
        $systems = 'linux-x64', 'linux-arm64', 'win-x64', 'win-arm64', 'osx-arm64'
        $lacking = @($systems | Where-Object { -not ($files -match "[\\/]$_[\\/]native[\\/]") })
        $about = (Import-PowerShellDataFile -LiteralPath (Join-Path $module 'WslImage.psd1')).PrivateData.PSData
        foreach ($system in $lacking) {
            $about.Prerelease | Should -Be 'local'
            $about.ReleaseNotes | Should -Match "^This is a local build .* no native library for [^.]*\b$system\b"
        }
        if (-not $about.Prerelease) { $lacking | Should -BeNullOrEmpty }
    }

    It 'has its own licence and those of what it contains' {
        $files | Should -Contain 'LICENSE'
        $notices = [IO.File]::ReadAllText((Join-Path $module 'THIRD-PARTY-NOTICES.txt'))
        foreach ($name in 'rustls', 'ring', 'tokio', 'zstd-sys') { $notices | Should -Match "(?m)^- $name \d" }
    }

    It 'is signed by signing these files: no other is run as a script' {
        $run = @($files | Where-Object { $_ -match '\.(ps1|psm1|psd1|ps1xml|cdxml)$' })
        $run | Should -Be @('WslImage.psd1', 'WslImage.psm1')
    }

    It 'is imported by its name where nothing else is, and does its job' {
        Import-Module (Join-Path $PSScriptRoot 'TestRegistry.psm1')
        $image = Add-TestImage
        $run = Invoke-Shell -Folder $TestDrive -Environment @{ TEST_MODULES = (Split-Path $env:WSLIMAGE_MODULE); TEST_IMAGE = $image.Repository } -Script @'
$env:PSModulePath = $env:TEST_MODULES
Import-Module WslImage
Get-DockerImage -ImageName $env:TEST_IMAGE -DestinationFile (Join-Path $PSScriptRoot 'by-name.tar.gz') -Registry $env:WSLIMAGE_TEST_REGISTRY_HTTPS -CACertificatePath $env:WSLIMAGE_TEST_REGISTRY_CA 6>$null
(Get-Module WslImage).ModuleBase
'@
        $run.Output.Trim() -split '\r?\n' | Should -Be @($image.Hex, $module) -Because $run.Error
    }
}

Describe 'Windows PowerShell 5.1' {
    It 'understands <Name>' -ForEach $scripts {
        Get-Newer ([IO.File]::ReadAllText($Path)) | Should -BeNullOrEmpty
    }

    It 'does not know <What>, and this test says so' -ForEach $newer {
        Get-Newer $Text | Should -Not -BeNullOrEmpty
    }

    It 'gets a build of .NET Framework 4.7.2 that references nothing else' {
        # The names and versions of .NET Framework 4.7.2's own assemblies, and of the engine that is there.
        $bytes = [IO.File]::ReadAllBytes([IO.Path]::Combine($module, 'bin', 'net472', 'WslImage.dll'))
        $expected = @{ 'mscorlib' = '4.0.0.0'; 'System' = '4.0.0.0'; 'System.Core' = '4.0.0.0'; 'System.Management.Automation' = '3.0.0.0' }
        $references = if ($PSVersionTable.PSEdition -eq 'Core') {
            $reader = New-Object System.Reflection.PortableExecutable.PEReader (New-Object IO.MemoryStream (, $bytes))
            $metadata = [System.Reflection.Metadata.PEReaderExtensions]::GetMetadataReader($reader)
            foreach ($handle in $metadata.AssemblyReferences) {
                $one = $metadata.GetAssemblyReference($handle)
                [pscustomobject] @{ Name = $metadata.GetString($one.Name); Version = $one.Version }
            }
            $reader.Dispose()
        }
        else { [System.Reflection.Assembly]::ReflectionOnlyLoad($bytes).GetReferencedAssemblies() }
        @($references).Count | Should -BeGreaterThan 1
        foreach ($one in $references) { "$($one.Version)" | Should -Be $expected[$one.Name] -Because $one.Name }
    }

    It 'is told nothing of TLS: no code of the module sets the process''s protocols' {
        foreach ($file in Get-ChildItem -LiteralPath $module -Recurse -Include 'WslImage.dll', '*.psm1') {
            $content = [IO.File]::ReadAllText($file.FullName, [Text.Encoding]::GetEncoding(28591))
            $content.Contains('ServicePointManager') | Should -BeFalse -Because $file.FullName
        }
    }
}
