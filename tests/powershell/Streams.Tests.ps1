# What people see: lines on the information stream as Write-Host makes them, verbose lines, progress.
BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'TestRegistry.psm1')
    Import-Module (Join-Path $PSScriptRoot 'Engine.psm1')
    Import-Module (Join-Path $PSScriptRoot 'Layers.psm1')
    Import-Module $env:WSLIMAGE_MODULE
    $registry = Get-TestRegistry
    $at = @{ Registry = $registry.Https; CACertificatePath = $registry.Ca }
    $working, $fact, $done = (Get-Sign Working), (Get-Sign Fact), (Get-Sign Done)
    function Invoke-Download($Image, [string] $Script = 'Get-DockerImage @given') {
        $given = @{ ImageName = $Image.Repository; Tag = 'latest'; DestinationFile = (Join-Path $TestDrive "$($Image.Hex).tar.gz") } + $at
        Invoke-Engine $Script @{ given = $given }
    }
}

Describe 'Lines for people' {
    It 'tell the story of Get-DockerImage' {
        $image = Add-TestImage -Layer @{ text = 'hello' }
        $run = Invoke-Download $image
        $name, $file = $image.Repository, (Join-Path $TestDrive "$($image.Hex).tar.gz")
        $run.Line | Should -BeExactly @(
            "$working Downloading Docker image layer from $($registry.Https)/${name}:latest..."
            "$working Retrieving docker image manifest for ${name}:latest from registry $($registry.Https)..."
            "$fact Root filesystem size: 5 B. Digest $($image.Digest). Downloading..."
            "$done Successfully downloaded Docker image layer to $file. File size: 5 B")
    }

    It 'are one line for Get-DockerImageManifest' {
        $image = Add-TestImage
        $run = Invoke-Engine 'Get-DockerImageManifest -ImageName $name -Tag latest @at' @{ name = $image.Repository; at = $at }
        $run.Line | Should -BeExactly @("$working Retrieving docker image manifest for $($image.Repository):latest from registry $($registry.Https)...")
    }

    It 'are made as Write-Host makes them' {
        $run = Invoke-Download (Add-TestImage)
        $run.Information.Count | Should -Be 8
        foreach ($record in $run.Information) {
            $record.MessageData | Should -BeOfType ([System.Management.Automation.HostInformationMessage])
            @($record.Tags) | Should -Contain 'PSHOST'
        }
        foreach ($i in 0, 2, 4, 6) {
            $run.Information[$i].MessageData.NoNewLine | Should -BeTrue
            $run.Information[$i + 1].MessageData.NoNewLine | Should -Not -BeTrue
        }
        @(1, 3, 5, 7 | ForEach-Object { "$($run.Information[$_].MessageData.ForegroundColor)" }) | Should -Be @('DarkGray', 'DarkGray', 'DarkYellow', 'DarkGreen')
    }

    It 'write a layer of <Bytes> bytes as <Text>' -ForEach @(
        @{ Bytes = 1; Text = '1 B' }, @{ Bytes = 1024; Text = '1024 B' }, @{ Bytes = 1025; Text = '1.0 KB' }, @{ Bytes = 1048576; Text = '1,024.0 KB' }, @{ Bytes = 1048577; Text = '1.0 MB' }, @{ Bytes = 1572864; Text = '1.5 MB' }) {
        $image = Add-TestImage -Layer @{ base64 = [Convert]::ToBase64String((Get-SampleByte $Bytes)) }
        $run = Invoke-Download $image '[cultureinfo]::CurrentCulture = [cultureinfo]::InvariantCulture; Get-DockerImage @given'
        $run.Line[2] | Should -BeLike "*size: $Text. Digest*"
        $run.Line[3] | Should -BeLike "*File size: $Text"
    }

    It 'write a size that only the manifest has as <Text>' -ForEach @(@{ Bytes = 771751936; Text = '736.0 MB' }, @{ Bytes = 3758096384; Text = '3.5 GB' }) {
        $image = Add-TestImage -Layer @{ text = 'x'; size = $Bytes }
        $run = Invoke-Download $image '[cultureinfo]::CurrentCulture = [cultureinfo]::InvariantCulture; try { Get-DockerImage @given } catch { $_.Exception.GetType().Name }'
        $run.Line[2] | Should -BeLike "*size: $Text. Digest*"
        $run.Output | Should -Be @('WslImageDownloadException')
    }

    It 'follow the current culture' {
        $image = Add-TestImage -Layer @{ base64 = [Convert]::ToBase64String((New-Object byte[] 1572864)) }
        (Invoke-Download $image '[cultureinfo]::CurrentCulture = "de-DE"; Get-DockerImage @given').Line[2] | Should -BeLike '*size: 1,5 MB.*'
    }

    It 'vanish with 6>$null and leave the value' {
        # To a console, because the engine keeps even what Write-Host writes with 6>$null.
        $image = Add-TestImage
        $run = Invoke-Shell -Folder $TestDrive -Environment @{ TEST_IMAGE = $image.Repository; TEST_FILE = (Join-Path $TestDrive 'vanish.tar.gz') } -Script @'
Import-Module $env:WSLIMAGE_MODULE
$ProgressPreference = 'SilentlyContinue'
Get-DockerImage -ImageName $env:TEST_IMAGE -Tag latest -DestinationFile $env:TEST_FILE -Registry $env:WSLIMAGE_TEST_REGISTRY_HTTPS -CACertificatePath $env:WSLIMAGE_TEST_REGISTRY_CA 6>$null
'@
        $run.Output.Trim() | Should -BeExactly $image.Hex
    }

    It 'can be led into the output' {
        $run = Invoke-Download (Add-TestImage) 'Get-DockerImage @given 6>&1'
        @($run.Output | Where-Object { $_ -is [System.Management.Automation.InformationRecord] }).Count | Should -Be 8
        $run.Information | Should -BeNullOrEmpty
    }

    It 'can be kept with -InformationVariable' {
        $run = Invoke-Download (Add-TestImage) '$null = Get-DockerImage @given -InformationVariable kept; $kept.Count'
        $run.Output | Should -Be @(8)
    }

    It 'reach the console, and no variable that takes the value' {
        $image = Add-TestImage
        $run = Invoke-Shell -Folder $TestDrive -Environment @{ TEST_IMAGE = $image.Repository; TEST_FILE = (Join-Path $TestDrive 'console.tar.gz') } -Script @'
Import-Module $env:WSLIMAGE_MODULE
$hash = Get-DockerImage -ImageName $env:TEST_IMAGE -Tag latest -DestinationFile $env:TEST_FILE -Registry $env:WSLIMAGE_TEST_REGISTRY_HTTPS -CACertificatePath $env:WSLIMAGE_TEST_REGISTRY_CA
"hash=$hash"
'@
        $run.ExitCode | Should -Be 0 -Because $run.Error
        $run.Output | Should -Match 'Downloading Docker image layer from'
        $run.Output | Should -Match 'Successfully downloaded Docker image layer to'
        $run.Output | Should -Match "hash=$($image.Hex)\s*$"
    }
}

Describe 'Verbose lines' {
    It 'stand where the original has them' {
        $image = Add-TestImage
        $run = Invoke-Download $image 'Get-DockerImage @given -Verbose'
        $base = "https://$($registry.Https)/v2/$($image.Repository)"
        $wanted = @(
            "Getting docker authentication token for registry $($registry.Https) and repository $($image.Repository)..."
            "Getting docker image manifest $base/manifests/latest..."
            "Getting docker image amd64 manifest $base/manifests/$($image.Manifests[0])..."
            "Getting docker image config $base/blobs/$($image.Configs[0])...")
        @($run.Verbose | Where-Object { $wanted -contains $_ }) | Should -Be $wanted -Because ($run.Verbose -join "`n")
    }

    It 'are not there unless asked for' {
        (Invoke-Download (Add-TestImage)).Verbose | Should -BeNullOrEmpty
    }

    It 'never hold the token' {
        $image = Add-TestImage
        $run = Invoke-Download $image 'Get-DockerImage @given -Verbose -Debug'
        $token = @(Get-TestLog -Repository $image.Repository | Where-Object { $_.headers.authorization })[0].headers.authorization -replace '^Bearer ', ''
        $token.Length | Should -BeGreaterThan 5
        @($run.Verbose + $run.Line + $run.Warning) -join "`n" | Should -Not -Match ([regex]::Escape($token))
    }
}

Describe 'Progress' {
    BeforeAll {
        # Two seconds of download.
        $slow = Add-TestImage -Layer @{ base64 = [Convert]::ToBase64String((Get-SampleByte 4000000)) }
        Add-TestRoute $slow.BlobPath @(@{ pass = $true; bytesPerSecond = 2000000 })
        $clock = [System.Diagnostics.Stopwatch]::StartNew()
        $run = Invoke-Download $slow
        $seconds = $clock.Elapsed.TotalSeconds
        $moving = @($run.Progress | Where-Object { $_.RecordType -eq 'Processing' -and $_.PercentComplete -ge 0 })
    }

    It 'shows percent, size, rate and time left' {
        $run.ErrorRecord | Should -BeNullOrEmpty
        $moving.Count | Should -BeGreaterThan 2
        @($moving | Where-Object { $_.PercentComplete -gt 0 -and $_.PercentComplete -lt 100 }).Count | Should -BeGreaterThan 1
        @($moving | Where-Object { "$($_.StatusDescription) $($_.CurrentOperation)" -match '3[.,]8 MB' }).Count | Should -BeGreaterThan 0
        @($moving | Where-Object { "$($_.StatusDescription) $($_.CurrentOperation)" -match '[KM]B/s' }).Count | Should -BeGreaterThan 0
        @($moving | Where-Object { $_.SecondsRemaining -ge 0 }).Count | Should -BeGreaterThan 0
    }

    It 'never goes back or beyond' {
        $percents = @($moving | ForEach-Object { $_.PercentComplete })
        for ($i = 1; $i -lt $percents.Count; $i++) { $percents[$i] | Should -BeGreaterOrEqual $percents[$i - 1] }
        foreach ($percent in $percents) { $percent | Should -BeLessOrEqual 100 }
    }

    It 'comes at most about ten times a second' {
        $run.Progress.Count | Should -BeLessOrEqual (10 * $seconds + 10)
    }

    It 'keeps its ids and closes each' {
        foreach ($group in ($run.Progress | Group-Object ActivityId)) { $group.Group[-1].RecordType | Should -Be 'Completed' -Because "activity $($group.Name)" }
        @($run.Progress | Group-Object ActivityId).Count | Should -BeLessOrEqual 2
    }

    It 'closes also when the command fails' {
        $image = Add-TestImage -Layer @{ base64 = [Convert]::ToBase64String((Get-SampleByte 300000)) }
        Add-TestRoute $image.BlobPath @(@{ pass = $true; bytesPerSecond = 400000; cutAfter = 250000 }, @{ status = 403 })
        $failed = Invoke-Download $image
        $failed.ErrorRecord | Should -Not -BeNullOrEmpty
        $failed.Progress | Should -Not -BeNullOrEmpty
        foreach ($group in ($failed.Progress | Group-Object ActivityId)) { $group.Group[-1].RecordType | Should -Be 'Completed' }
    }

    It 'is silent when $ProgressPreference says so' {
        (Invoke-Download (Add-TestImage) '$ProgressPreference = "SilentlyContinue"; Get-DockerImage @given').Progress | Should -BeNullOrEmpty
    }
}
