# Ctrl+C, which is Stop() to the engine, while the server stalls.
BeforeDiscovery {
    $places = @(
        @{ Place = 'the token service'; Path = { $realm } }
        @{ Place = 'the manifest'; Path = { $image.ManifestPath } }
        @{ Place = 'the platform''s manifest'; Path = { "/v2/$($image.Repository)/manifests/$($image.Manifests[0])" } }
        @{ Place = 'the config'; Path = { "/v2/$($image.Repository)/blobs/$($image.Configs[0])" } }
        @{ Place = 'the layer''s answer'; Path = { $image.BlobPath } }
        @{ Place = 'the layer''s middle'; Path = { $image.BlobPath }; After = 50000 })
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'TestRegistry.psm1')
    Import-Module (Join-Path $PSScriptRoot 'Engine.psm1')
    Import-Module $env:WSLIMAGE_MODULE
    $registry = Get-TestRegistry
    $at = @{ Registry = $registry.Https; CACertificatePath = $registry.Ca }
}

Describe 'Stopping Get-DockerImage while <Place> stalls' -ForEach $places {
    BeforeEach {
        $folder = (New-Item -ItemType Directory -Path (Join-Path $TestDrive ([guid]::NewGuid().ToString('N')))).FullName
        $file = Join-Path $folder 'rootfs.tar.gz'
        $realm = "/realm/$([guid]::NewGuid().ToString('N'))"
        $image = Add-TestImage -Layer @{ base64 = [Convert]::ToBase64String((Get-SampleByte 200000)) } -Auth @{ scheme = 'bearer'; anonymous = $true; realm = "https://$($registry.Https)$(if ($Place -eq 'the token service') { $realm } else { '/token' })" }
        $path = & $Path
        # Silence before the answer, or within it.
        Add-TestRoute $path @($(if ($After) { @{ pass = $true; stallAfter = $After } } else { @{ closeBeforeResponse = $true; stallAfter = 0 } }))
    }
    AfterEach { Remove-TestRoute $path }

    It 'ends within a second, leaves an older file as it was, and the next call works' {
        [IO.File]::WriteAllText($file, 'older')
        $started = @{}
        $seconds = Measure-Stop {
            param($attempt)
            $shell = New-Engine 'try { Get-DockerImage @given } finally { "cleaned up" }; "next line"' @{ given = @{ ImageName = $image.Repository; Tag = 'latest'; DestinationFile = $file } + $at }
            $started.Output = New-Object 'System.Management.Automation.PSDataCollection[psobject]'
            $started.Running = $shell.BeginInvoke((New-Object 'System.Management.Automation.PSDataCollection[psobject]'), $started.Output)
            Wait-TestRequest $path $attempt
            $shell
        } {
            param($shell)
            $shell.InvocationStateInfo.State | Should -Be 'Stopped'
            $started.Running.IsCompleted | Should -BeTrue
            @($started.Output) | Should -Not -Contain 'next line'
            @($shell.Streams.Error | Where-Object { $_.Exception -isnot [System.Management.Automation.PipelineStoppedException] }) | Should -BeNullOrEmpty
        }
        $seconds | Should -BeLessThan 1
        [IO.File]::ReadAllText($file) | Should -BeExactly 'older'

        Remove-TestRoute $path
        if ($path -eq $realm) { Set-TestAuth $image.Repository @{ scheme = 'bearer'; anonymous = $true } }
        Get-DockerImage -ImageName $image.Repository -Tag latest -DestinationFile $file @at 6>$null | Should -BeExactly $image.Hex
        (Get-FileHash -LiteralPath $file -Algorithm SHA256).Hash | Should -Be $image.Hex
        Get-FolderContent $folder | Should -Be @('rootfs.tar.gz')
    }

    It 'leaves nothing under the final name where nothing was' {
        $shell = New-Engine 'Get-DockerImage @given' @{ given = @{ ImageName = $image.Repository; Tag = 'latest'; DestinationFile = $file } + $at }
        try {
            $null = $shell.BeginInvoke()
            Wait-TestRequest $path
            $shell.Stop()
        }
        finally { $shell.Runspace.Dispose(); $shell.Dispose() }
        Test-Path -LiteralPath $file | Should -BeFalse
    }
}

Describe 'Stopping the other commands while the server stalls' {
    It '<Command> ends within a second' -ForEach @(@{ Command = 'Get-DockerImageManifest' }, @{ Command = 'Get-DockerAuthToken' }) {
        $realm = "/realm/$([guid]::NewGuid().ToString('N'))"
        $image = Add-TestImage -Auth @{ scheme = 'bearer'; anonymous = $true; realm = "https://$($registry.Https)$realm" }
        Add-TestRoute $realm @(@{ closeBeforeResponse = $true; stallAfter = 0 })
        $given = $at + $(if ($Command -eq 'Get-DockerAuthToken') { @{ Repository = $image.Repository } } else { @{ ImageName = $image.Repository; Tag = 'latest' } })
        try {
            Measure-Stop {
                param($attempt)
                $shell = New-Engine '& $command @given' @{ given = $given; command = $command }
                $null = $shell.BeginInvoke()
                Wait-TestRequest $realm $attempt
                $shell
            } { param($shell) $shell.InvocationStateInfo.State | Should -Be 'Stopped' } | Should -BeLessThan 1
        }
        finally { Remove-TestRoute $realm }
    }
}
