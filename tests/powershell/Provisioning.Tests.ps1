# docs/examples/Import-WslDistribution.ps1, with a wsl that takes an archive only if WSL would (wsl/wsl.ps1).
BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'TestRegistry.psm1')
    Import-Module (Join-Path $PSScriptRoot 'Engine.psm1')
    Import-Module (Join-Path $PSScriptRoot 'Layers.psm1')
    Import-Module $env:WSLIMAGE_MODULE
    $script = [IO.Path]::GetFullPath([IO.Path]::Combine($PSScriptRoot, '..', '..', 'docs', 'examples', 'Import-WslDistribution.ps1'))
    $registry = Get-TestRegistry
    $at = @{ Registry = $registry.Https; CACertificatePath = $registry.Ca }
    $before = $env:PSModulePath, $env:WSL_STATE
    $env:PSModulePath = (Split-Path $env:WSLIMAGE_MODULE) + [IO.Path]::PathSeparator + $env:PSModulePath
    Set-Alias -Name wsl -Value (Join-Path $PSScriptRoot (Join-Path 'wsl' 'wsl.ps1')) -Scope Global

    function Get-Call { @(if (Test-Path -LiteralPath (Join-Path $env:WSL_STATE 'calls.txt')) { Get-Content -LiteralPath (Join-Path $env:WSL_STATE 'calls.txt') | Where-Object { $_ -notmatch '"--list"' } }) }
    function Get-Json([object[]] $Arguments) { ConvertTo-Json -InputObject $Arguments -Compress }
    # What it writes and the errors that do not end it.
    function Invoke-Script([System.Collections.IDictionary] $Given, [object[]] $Rows) {
        $all = @{ Location = $location; RegistryParameter = $at; ErrorAction = 'SilentlyContinue'; ErrorVariable = 'said' } + $Given
        $output = @(if ($Rows) { $Rows | & $script @all } else { & $script @all })
        [pscustomobject] @{ Output = $output; Errors = @($said | Where-Object { "$($_.FullyQualifiedErrorId)" -like 'DistributionNotMade*' }) }
    }
}

AfterAll {
    Remove-Item -LiteralPath alias:wsl
    $env:PSModulePath, $env:WSL_STATE = $before
}

Describe 'Import-WslDistribution.ps1' {
    BeforeEach {
        $folder = (New-Item -ItemType Directory -Path (Join-Path $TestDrive ([guid]::NewGuid().ToString('N')))).FullName
        $env:WSL_STATE = (New-Item -ItemType Directory -Path (Join-Path $folder 'state')).FullName
        $location = Join-Path $folder 'wsl'
        $path = Join-Path $location 'one'
        $image = Add-TestImage
    }

    It 'makes a distribution of an image, and leaves the archive nowhere' {
        $run = Invoke-Script @{ Name = 'one'; ImageName = $image.Repository }
        $run.Errors | Should -BeNullOrEmpty
        $run.Output.Count | Should -Be 1
        $run.Output[0].Status | Should -BeExactly 'Imported'
        $run.Output[0].Digest | Should -BeExactly $image.Digest
        $run.Output[0].Path | Should -BeExactly $path
        Get-Call | Should -Be @(Get-Json '--import', 'one', $path, (Join-Path $location 'one.rootfs.tar.gz'))
        Get-FolderContent $location | Should -Be @('one', (Join-Path 'one' 'ext4.vhdx'), (Join-Path 'one' 'image.txt'))
    }

    It 'takes an image of several layers' {
        $image = Add-TestImage -Layer (Get-ThreeLayer)
        $run = Invoke-Script @{ Name = 'one'; ImageName = $image.Repository }
        $run.Errors | Should -BeNullOrEmpty
        $run.Output[0].Digest | Should -BeExactly $image.Manifests[0]
    }

    It 'hands WSL''s version over' {
        $null = Invoke-Script @{ Name = 'one'; ImageName = $image.Repository; WslVersion = '1' }
        Get-Call | Should -Be @(Get-Json '--import', 'one', $path, (Join-Path $location 'one.rootfs.tar.gz'), '--version', '1')
    }

    It 'leaves a distribution of the same image alone, and fetches no layer for it' {
        $null = Invoke-Script @{ Name = 'one'; ImageName = $image.Repository }
        $calls = Get-Call
        $fetched = @(Get-TestLog -Path $image.BlobPath).Count
        $run = Invoke-Script @{ Name = 'one'; ImageName = $image.Repository }
        $run.Output[0].Status | Should -BeExactly 'Unchanged'
        Get-Call | Should -Be $calls
        @(Get-TestLog -Path $image.BlobPath).Count | Should -Be $fetched
        (Invoke-Script @{ Name = 'one'; ImageName = $image.Repository; Force = $true }).Output[0].Status | Should -BeExactly 'Unchanged'
    }

    It 'does not touch a distribution of another image, and says of which' {
        $null = Invoke-Script @{ Name = 'one'; ImageName = $image.Repository }
        $calls = Get-Call
        $other = Add-TestImage
        $run = Invoke-Script @{ Name = 'one'; ImageName = $other.Repository }
        $run.Output | Should -BeNullOrEmpty
        "$($run.Errors[0])" | Should -Match "one.*already.*$($image.Digest).*$($other.Digest).*-Force"
        Get-Call | Should -Be $calls
    }

    It 'does not touch a distribution of which it knows nothing' {
        [IO.File]::WriteAllText((Join-Path $env:WSL_STATE 'distributions.txt'), "one`n")
        $run = Invoke-Script @{ Name = 'One'; ImageName = $image.Repository }
        "$($run.Errors[0])" | Should -Match 'One.*already.*unknown image'
        Get-Call | Should -BeNullOrEmpty
    }

    It 'replaces one of another image with -Force, when the new archive is complete' {
        $null = Invoke-Script @{ Name = 'one'; ImageName = $image.Repository }
        $other = Add-TestImage
        $run = Invoke-Script @{ Name = 'one'; ImageName = $other.Repository; Force = $true }
        $run.Output[0].Status | Should -BeExactly 'Replaced'
        @(Get-Call)[1..2] | Should -Be @((Get-Json '--unregister', 'one'), (Get-Json '--import', 'one', $path, (Join-Path $location 'one.rootfs.tar.gz')))

        $broken = Add-TestImage
        Add-TestRoute $broken.BlobPath @(@{ status = 404 })
        try { $run = Invoke-Script @{ Name = 'one'; ImageName = $broken.Repository; Force = $true } } finally { Remove-TestRoute $broken.BlobPath }
        $run.Errors.Count | Should -Be 1
        @(Get-Call).Count | Should -Be 3
    }

    It 'makes a list of them, and goes on behind one that fails' {
        $rows = @("Name,ImageName`none,$($image.Repository)`nmissing,powershell/there-is-none`ntwo,$((Add-TestImage).Repository)" | ConvertFrom-Csv)
        $run = Invoke-Script @{} $rows
        @($run.Output | ForEach-Object { "$($_.Name) $($_.Status)" }) | Should -Be @('one Imported', 'two Imported')
        $run.Errors.Count | Should -Be 1
        "$($run.Errors[0])" | Should -Match '^missing: '
        @((Invoke-Script @{} $rows).Output | ForEach-Object { "$($_.Name) $($_.Status)" }) | Should -Be @('one Unchanged', 'two Unchanged')
    }

    It 'says what wsl said when it refuses the archive, and tries again the next time' {
        $image = Add-TestImage -Layer (New-Layer @(@{ Name = 'opt/' }, @{ Name = 'opt/x'; Text = 'neither etc nor bin/sh' }))
        $run = Invoke-Script @{ Name = 'one'; ImageName = $image.Repository; WarningAction = 'SilentlyContinue' }
        $run.Output | Should -BeNullOrEmpty
        "$($run.Errors[0])" | Should -Match 'wsl --import one .* exit code -1: Importing the distribution failed\. Error code: Wsl/Service/WSL_E_NOT_A_LINUX_DISTRO'
        Test-Path -LiteralPath (Join-Path $path 'image.txt') | Should -BeFalse
        (Invoke-Script @{ Name = 'one'; ImageName = $image.Repository; WarningAction = 'SilentlyContinue' }).Errors.Count | Should -Be 1
    }

    It 'changes nothing with -WhatIf' {
        $run = Invoke-Script @{ Name = 'one'; ImageName = $image.Repository; WhatIf = $true }
        $run.Errors | Should -BeNullOrEmpty
        Get-Call | Should -BeNullOrEmpty
        Test-Path -LiteralPath $location | Should -BeFalse
    }
}

Describe 'The lines in docs/provisioning.md' {
    It 'make a distribution' {
        $text = [IO.File]::ReadAllText([IO.Path]::GetFullPath([IO.Path]::Combine($PSScriptRoot, '..', '..', 'docs', 'provisioning.md')))
        $lines = [regex]::Match($text, '(?s)```powershell\n(.*?)```').Groups[1].Value
        $lines | Should -Match 'wsl --import'
        $image = Add-TestImage
        $env:WSL_STATE = (New-Item -ItemType Directory -Path (Join-Path $TestDrive 'lines')).FullName
        $PSDefaultParameterValues = @{ 'Get-DockerImage:Registry' = $registry.Https; 'Get-DockerImage:CACertificatePath' = $registry.Ca }
        Push-Location -LiteralPath $env:WSL_STATE
        try { $null = & ([scriptblock]::Create($lines.Replace('docker.io/library/alpine:3.20', $image.Repository).Replace('C:\wsl\alpine', (Join-Path $env:WSL_STATE 'alpine')))) 6>$null }
        finally { Pop-Location }
        Get-Content -LiteralPath (Join-Path $env:WSL_STATE 'distributions.txt') | Should -Be 'alpine'
    }
}
