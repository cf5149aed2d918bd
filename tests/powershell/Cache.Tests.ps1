# Get-WslImageCache and Clear-WslImageCache.
BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Engine.psm1')
    Import-Module (Join-Path $PSScriptRoot 'Layers.psm1')
    Import-Module $env:WSLIMAGE_MODULE
    # A cache of these texts, the first used last, as Get-DockerImage would leave it.
    function New-TestCache([string[]] $Text) {
        $path = Join-Path $TestDrive "cache-$([guid]::NewGuid().ToString('N'))"
        $folder = [IO.Path]::Combine($path, 'blobs', 'sha256')
        $null = [IO.Directory]::CreateDirectory($folder)
        $age = 1
        foreach ($one in $Text) {
            $file = Join-Path $folder (Get-Hex $one)
            [IO.File]::WriteAllText($file, $one)
            [IO.File]::SetLastWriteTime($file, [datetime]::Now.AddDays(-$age))
            $age += 10
        }
        $path
    }
    function Get-Hex([string] $Text) { Get-Hash ([Text.Encoding]::UTF8.GetBytes($Text)) }
    function Get-Digest([string] $Text) { "sha256:$(Get-Hex $Text)" }
}

Describe 'Get-WslImageCache' {
    It 'lists what is there, used last first' {
        $path = New-TestCache 'one', 'three', 'x'
        $found = @(Get-WslImageCache -CachePath $path)
        @($found | ForEach-Object { $_.Digest }) | Should -BeExactly @((Get-Digest 'one'), (Get-Digest 'three'), (Get-Digest 'x'))
        @($found | ForEach-Object { $_.Size }) | Should -Be @(3, 5, 1)
        foreach ($one in $found) {
            Test-Path -LiteralPath $one.Path | Should -BeTrue
            $one.CachePath | Should -BeExactly $path
            $one.LastUsed.Kind | Should -Be 'Local'
        }
        [math]::Abs(($found[0].LastUsed - [datetime]::Now.AddDays(-1)).TotalMinutes) | Should -BeLessThan 5
    }

    It 'takes the folder by PowerShell''s location' {
        $path = New-TestCache 'one'
        Push-Location -LiteralPath (Split-Path $path)
        try { @(Get-WslImageCache -CachePath (Split-Path $path -Leaf)).Count | Should -Be 1 } finally { Pop-Location }
    }

    It 'takes the folder that $env:WSLIMAGE_CACHE names' {
        $path = New-TestCache 'one'
        $env:WSLIMAGE_CACHE = $path
        try { @(Get-WslImageCache).Count | Should -Be 1 } finally { $env:WSLIMAGE_CACHE = $null }
    }

    It 'finds an empty one where there is none, and makes none' {
        $path = Join-Path $TestDrive 'no-cache'
        @(Get-WslImageCache -CachePath $path).Count | Should -Be 0
        Test-Path -LiteralPath $path | Should -BeFalse
    }

    It 'says what to do when none is set up' {
        $failure = Get-Failure { Get-WslImageCache }
        $failure.FullyQualifiedErrorId | Should -BeLike 'InvalidArgument,*'
        $failure.Exception.Message | Should -Match 'WSLIMAGE_CACHE'
    }

    It 'fails for a file in place of the folder' {
        $file = Join-Path $TestDrive 'file'
        [IO.File]::WriteAllText($file, 'x')
        $failure = Get-Failure { Get-WslImageCache -CachePath $file }
        $failure.Exception | Should -BeOfType ([WslImageDownloadException])
        $failure.Exception.Message | Should -Match ([regex]::Escape($file))
    }
}

Describe 'Clear-WslImageCache' {
    BeforeEach {
        $path = New-TestCache 'one', 'two', 'three'
        function Get-Rest { @(Get-WslImageCache -CachePath $path | ForEach-Object { $_.Digest }) }
    }

    It 'removes everything and returns nothing' {
        Clear-WslImageCache -CachePath $path | Should -BeNullOrEmpty
        Get-Rest | Should -BeNullOrEmpty
    }

    It 'removes by digest' {
        Clear-WslImageCache -CachePath $path -Digest (Get-Digest 'one'), (Get-Digest 'three'), (Get-Digest 'not there')
        Get-Rest | Should -BeExactly @(Get-Digest 'two')
    }

    It 'removes what comes by the pipeline, from where it is' {
        Get-WslImageCache -CachePath $path | Where-Object Size -eq 3 | Clear-WslImageCache
        Get-Rest | Should -BeExactly @(Get-Digest 'three')
    }

    It 'removes nothing when nothing comes by the pipeline' {
        Get-WslImageCache -CachePath $path | Where-Object Size -gt 100 | Clear-WslImageCache
        @(Get-Rest).Count | Should -Be 3
    }

    It 'removes what was not used since <Given>' -ForEach @(
        @{ Given = 'a time'; Since = { [datetime]::Now.AddDays(-5) } }, @{ Given = 'an age'; Since = { [timespan]::FromDays(5) } }
        @{ Given = 'an age as text'; Since = { '5.00:00:00' } }, @{ Given = 'a time elsewhere'; Since = { [datetimeoffset]::Now.AddDays(-5) } }) {
        Clear-WslImageCache -CachePath $path -UnusedSince (& $Since)
        Get-Rest | Should -BeExactly @(Get-Digest 'one')
    }

    It 'refuses <Value> for a time, and says why' -ForEach @(
        @{ Value = 30; Message = '30.00:00:00' }, @{ Value = 'soon'; Message = "'soon' is neither a time" }, @{ Value = [timespan]::FromDays(-1); Message = 'negative' }) {
        $failure = Get-Failure { Clear-WslImageCache -CachePath $path -UnusedSince $Value }
        $failure.Exception.Message | Should -Match $Message
        @(Get-Rest).Count | Should -Be 3
    }

    It 'refuses a digest that is none' {
        $failure = Get-Failure { Clear-WslImageCache -CachePath $path -Digest latest }
        $failure.FullyQualifiedErrorId | Should -BeLike 'InvalidReference,*'
        @(Get-Rest).Count | Should -Be 3
    }

    It 'with -WhatIf removes nothing' {
        Clear-WslImageCache -CachePath $path -WhatIf
        Clear-WslImageCache -CachePath $path -Digest (Get-Digest 'one') -WhatIf
        @(Get-Rest).Count | Should -Be 3
    }

    It 'tells with -Verbose what was removed' {
        $run = Invoke-Engine '[cultureinfo]::CurrentCulture = [cultureinfo]::InvariantCulture; Clear-WslImageCache -CachePath $path -Verbose' @{ path = $path }
        $run.Verbose[-1] | Should -BeExactly 'Removed 3 of the files in the cache (11 B).'
    }
}
