# Side by side with the original script: each case of OriginalCases.ps1 must come out the same in every aspect, but for what
# differences.psd1 names. Where the original is not there (../shared beside the repository), what was recorded of it stands in.
BeforeDiscovery {
    $cases = @(. (Join-Path $PSScriptRoot 'OriginalCases.ps1') | ForEach-Object { @{ Case = $_.Name } })
    $differences = @((Import-PowerShellDataFile -LiteralPath (Join-Path $PSScriptRoot 'differences.psd1')).Differences)
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'Engine.psm1')
    $differences = @((Import-PowerShellDataFile -LiteralPath (Join-Path $PSScriptRoot 'differences.psd1')).Differences)
    $lack = if ($PSVersionTable.PSEdition -ne 'Core') { 'the original is compared and recorded in PowerShell 7, whose types for dates and integers are others' }
    $original = [IO.Path]::GetFullPath([IO.Path]::Combine($PSScriptRoot, '..', '..', '..', 'shared', 'original', 'Wsl-Image.Docker.ps1'))
    # Windows has no SSL_CERT_FILE to make the original trust the test registry.
    $live = -not (Test-Windows) -and (Test-Path -LiteralPath $original)
    $aspects = 'output', 'error', 'records', 'lines', 'verbose', 'files'
    $applied = @{}
    $results = @{}
    if (-not $lack) {
        $file = Join-Path $TestDrive 'results.json'
        $process = (New-Item -ItemType Directory -Path (Join-Path $TestDrive 'process')).FullName
        $run = Invoke-Shell -Folder $TestDrive -WorkingDirectory $process -Environment @{
            SSL_CERT_FILE = $env:WSLIMAGE_TEST_REGISTRY_CA; TEST_FOLDER = $TestDrive; TEST_RESULT = $file; TEST_ORIGINAL = $(if ($live) { $original })
            TEST_SCRIPT = (Join-Path $PSScriptRoot 'SideBySide.ps1') } -Script '& $env:TEST_SCRIPT -Module $env:WSLIMAGE_MODULE -Original $env:TEST_ORIGINAL -Result $env:TEST_RESULT -Folder $env:TEST_FOLDER'
        if ($run.ExitCode -ne 0) { throw "The side by side ended with $($run.ExitCode): $($run.Error) $($run.Output)" }
        $results = ConvertFrom-Json -InputObject ([IO.File]::ReadAllText($file))
        if (-not $live) { $recorded = ConvertFrom-Json -InputObject ([IO.File]::ReadAllText([IO.Path]::Combine($PSScriptRoot, 'recorded', 'original.json'))) }
    }

    # An aspect as text that can be compared: of an error's and a record's sentence only what the original itself says,
    # not what .NET or the registry told it; of the verbose lines only those of the three commands.
    function Get-Comparable($Side, [string] $Aspect) {
        $lines = @($Side.$Aspect | ForEach-Object { "$_" })
        if ($Aspect -eq 'verbose') { $lines = @($lines | Where-Object { $_ -clike 'Getting docker *' }) }
        if ($Aspect -in 'error', 'records') {
            $lines = @($lines | ForEach-Object { $_ -creplace '((?:^|^\S+ )(?:Failed to get authentication token|Failed to get manifest|Failed to download Docker image layer):).*$', '$1 ...' })
        }
        $lines -join "`n"
    }
    # The module's error may go on after the original's sentence.
    function Get-FirstSentence([string] $Ours, [string] $Theirs) {
        if ($Theirs -and ($Ours.StartsWith("$($Theirs.TrimEnd('.')). ", [StringComparison]::Ordinal))) { $Theirs } else { $Ours }
    }
    # Nothing when an aspect is the same or differs as the list says; else both sides. Notes what of the list was met.
    function Get-UnknownDifference([string] $Name, [string] $Aspect, [string] $Left, [string] $Right) {
        $places = @(for ($i = 0; $i -lt $differences.Count; $i++) {
                foreach ($place in @($differences[$i].Where)) {
                    if ($place.Aspect -eq $Aspect -and @($place.Case | Where-Object { $Name -like $_ })) { @{ Number = "$i"; Place = $place } }
                }
            })
        $same = { $Left -ceq $(if ($Aspect -eq 'error') { Get-FirstSentence $Right $Left } else { $Right }) }
        if (& $same) { return }
        # What may be left out or put otherwise in the original's text.
        foreach ($one in @($places | Where-Object { $_.Place.Pattern })) {
            if ($Left -cnotmatch $one.Place.Pattern) { continue }
            $Left = $Left -creplace $one.Place.Pattern, $one.Place.Replacement
            $applied[$one.Number] = $true
        }
        if (& $same) { return }
        # What is another text as a whole.
        foreach ($one in @($places | Where-Object { -not $_.Place.Pattern })) {
            if ($Left -cmatch "(?s)\A(?:$($one.Place.Original))\z" -and $Right -cmatch "(?s)\A(?:$($one.Place.Module))\z") { $applied[$one.Number] = $true; return }
        }
        "$Aspect`n--- original`n$Left`n--- module`n$Right"
    }
}

Describe 'The original and the module' {
    It 'agree on: <Case>' -ForEach $cases {
        if ($lack) { Set-ItResult -Skipped -Because $lack }
        $theirs = if ($live) { $results.$Case.original } else { $recorded.$Case.original }
        $theirs | Should -Not -BeNullOrEmpty -Because 'run.ps1 -Record records each case'
        $ours = $results.$Case.module
        $unknown = @(foreach ($aspect in $aspects) {
                Get-UnknownDifference $Case $aspect (Get-Comparable $theirs $aspect) (Get-Comparable $ours $aspect)
            })
        $unknown -join "`n" | Should -BeNullOrEmpty
    }

    It 'still differ in: <What>' -ForEach @(for ($i = 0; $i -lt $differences.Count; $i++) { @{ What = $differences[$i].Input; Number = "$i" } }) {
        if ($lack) { Set-ItResult -Skipped -Because $lack }
        $applied[$Number] | Should -BeTrue -Because 'a difference that is none must not stand in the list'
    }

    It 'are compared as recorded too' {
        if ($lack) { Set-ItResult -Skipped -Because $lack }
        if (-not $live) { Set-ItResult -Skipped -Because 'the original does not run here, or is not beside the repository' }
        $recorded = ConvertFrom-Json -InputObject ([IO.File]::ReadAllText([IO.Path]::Combine($PSScriptRoot, 'recorded', 'original.json')))
        $stale = @(foreach ($name in $results.PSObject.Properties.Name) {
                foreach ($aspect in $aspects) { if ((Get-Comparable $recorded.$name.original $aspect) -cne (Get-Comparable $results.$name.original $aspect)) { "$name`: $aspect" } }
            }) + @($recorded.PSObject.Properties.Name | Where-Object { -not $results.PSObject.Properties[$_] })
        $stale -join "`n" | Should -BeNullOrEmpty -Because 'run.ps1 -Record was not run after a change'
    }
}
