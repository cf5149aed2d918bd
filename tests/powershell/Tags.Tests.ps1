# What Get-DockerImageTag gives, and how the Tab key completes -Tag from it.
BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'TestRegistry.psm1')
    Import-Module (Join-Path $PSScriptRoot 'Engine.psm1')
    Import-Module $env:WSLIMAGE_MODULE
    $registry = Get-TestRegistry
    $at = @{ Registry = $registry.Https; CACertificatePath = $registry.Ca }
    function Set-TagList([string] $Repository, [object] $Tag) {
        $body = ConvertTo-Json -Compress -InputObject @{ name = $Repository; tags = @($Tag) }
        Add-TestRoute "/v2/$Repository/tags/list" @(@{ status = 200; headers = @{ 'Content-Type' = 'application/json' }; body = $body })
    }
}

Describe 'Get-DockerImageTag' {
    It 'gives the tags as strings, in the registry''s order' {
        $image = Add-TestImage
        Set-TagList $image.Repository @('3.20', 'latest', '3.1')
        $tags = @(Get-DockerImageTag -ImageName $image.Repository @at)
        $tags | Should -BeExactly @('3.20', 'latest', '3.1')
        foreach ($tag in $tags) { $tag | Should -BeOfType ([string]) }
    }

    It 'gives what the registry really has' {
        $image = Add-TestImage -Tag 'b', 'a'
        Get-DockerImageTag $image.Repository $registry.Https -CACertificatePath $registry.Ca | Sort-Object | Should -BeExactly @('a', 'b')
    }

    It 'takes a whole reference, whose tag does not matter' {
        $image = Add-TestImage
        Get-DockerImageTag -ImageName "$($registry.Https)/$($image.Repository):none" -CACertificatePath $registry.Ca | Should -BeExactly 'latest'
    }

    It 'gives nothing where there is none' {
        $image = Add-TestImage
        Add-TestRoute "/v2/$($image.Repository)/tags/list" @(@{ status = 200; headers = @{ 'Content-Type' = 'application/json' }; body = '{"name":"x","tags":null}' })
        @(Get-DockerImageTag -ImageName $image.Repository @at).Count | Should -Be 0
    }

    It 'says nothing to people' {
        $image = Add-TestImage
        $run = Invoke-Engine 'Get-DockerImageTag -ImageName $name @at' @{ name = $image.Repository; at = $at }
        $run.Line | Should -BeNullOrEmpty
        $run.Output | Should -BeExactly @('latest')
    }

    It 'fails for a repository that is not there' {
        $failure = Get-Failure { Get-DockerImageTag -ImageName (New-TestRepository) @at }
        $failure.Exception | Should -BeOfType ([WslImageSourceNotFoundException])
        $failure.Exception.StatusCode | Should -Be 404
    }
}

Describe 'The Tab key behind -Tag' {
    BeforeAll {
        # What the engine offers at the end of this line, and what is in $Error after it.
        function Get-Completion([string] $Line, [System.Collections.IDictionary] $Variable = @{}) {
            $run = Invoke-Engine '
                $clock = [System.Diagnostics.Stopwatch]::StartNew()
                (TabExpansion2 -inputScript $line -cursorColumn $line.Length).CompletionMatches
                [pscustomobject]@{ Elapsed = $clock.Elapsed; ErrorCount = $Error.Count }' (@{ line = $Line } + $Variable)
            $run.ErrorRecord | Should -BeNullOrEmpty
            $last = $run.Output[-1]
            [pscustomobject]@{
                Text = @($run.Output | Where-Object { $_ -is [System.Management.Automation.CompletionResult] } | ForEach-Object { $_.CompletionText })
                Elapsed = $last.Elapsed; ErrorCount = $last.ErrorCount; Line = $run.Line; Verbose = $run.Verbose; Warning = $run.Warning
            }
        }
        $https, $ca = $registry.Https, $registry.Ca
    }
    BeforeEach { $image = Add-TestImage; $n = $image.Repository }

    It 'offers the tags in the registry''s order to <Command>' -ForEach @(@{ Command = 'Get-DockerImage' }, @{ Command = 'Get-DockerImageManifest' }) {
        Set-TagList $n @('3.20', 'latest', '3.1')
        (Get-Completion "$Command -ImageName $n -Registry $https -CACertificatePath '$ca' -Tag ").Text | Should -BeExactly @('3.20', 'latest', '3.1')
    }

    It 'offers those that begin with what was typed' {
        Set-TagList $n @('3.20', 'latest', '3.1')
        (Get-Completion "Get-DockerImage -ImageName $n -Registry $https -CACertificatePath '$ca' -Tag 3.").Text | Should -BeExactly @('3.20', '3.1')
        (Get-Completion "Get-DockerImage -ImageName $n -Registry $https -CACertificatePath '$ca' -Tag LA").Text | Should -BeExactly @('latest')
        (Get-Completion "Get-DockerImage -ImageName $n -Registry $https -CACertificatePath '$ca' -Tag '3.2").Text | Should -BeExactly @("'3.20'")
    }

    It 'takes a whole reference, arguments by position, and variables' {
        Set-TagList $n @('3.20')
        (Get-Completion "Get-DockerImage $https/$n -CACertificatePath '$ca' -Tag ").Text | Should -BeExactly @('3.20')
        (Get-Completion 'Get-DockerImage -ImageName $name -Registry $https -CACertificatePath $ca -Tag ' @{ name = $n; https = $https; ca = $ca }).Text | Should -BeExactly @('3.20')
    }

    It 'uses the login' {
        Set-TestAuth $n @{ scheme = 'basic'; username = 'somebody'; password = 'Secr3t' }
        $login = New-Object pscredential 'somebody', (ConvertTo-SecureString 'Secr3t' -AsPlainText -Force)
        $line = "Get-DockerImage -ImageName $n -Registry $https -CACertificatePath '$ca' -Credential `$login -Tag "
        (Get-Completion $line @{ login = $login }).Text | Should -BeExactly @('latest')
    }

    It 'asks for no password when a login is only a name' {
        $found = Get-Completion "Get-DockerImage -ImageName $n -Registry $https -CACertificatePath '$ca' -Credential somebody -Tag "
        $found.Text | Should -BeExactly @('latest')
    }

    It 'asks the registry once while somebody types' {
        $line = "Get-DockerImage -ImageName $n -Registry $https -CACertificatePath '$ca' -Tag "
        $null = Get-Completion $line
        $before = @(Get-TestLog -Repository $n).Count
        (Get-Completion "${line}l").Text | Should -BeExactly @('latest')
        @(Get-TestLog -Repository $n).Count | Should -Be $before
    }

    It 'offers nothing that a command line would read as something else' {
        Set-TagList $n @('good', 'a;b', '$(bad)', "it's", "two`nlines", '-x', 'a b')
        (Get-Completion "Get-DockerImage -ImageName $n -Registry $https -CACertificatePath '$ca' -Tag ").Text | Should -BeExactly @('good')
    }

    It 'offers no tags, and says nothing, when <What>' -ForEach @(
        @{ What = 'nothing listens'; Script = { "Get-DockerImage -ImageName a/b -Registry $(Get-ClosedAddress) -Tag " } }
        @{ What = 'there is no such image'; Script = { "Get-DockerImage -ImageName $(New-TestRepository) -Registry $https -CACertificatePath '$ca' -Tag " } }
        @{ What = 'nobody vouches for the certificate'; Script = { "Get-DockerImage -ImageName $n -Registry $https -Tag " } }
        @{ What = 'the name is none'; Script = { "Get-DockerImage -ImageName 'A B' -Registry $https -Tag " } }
        @{ What = 'parameters contradict each other'; Script = { "Get-DockerImage -ImageName $n -Registry $https -NoProxy -Proxy http://x -Tag " } }
        @{ What = 'a number is none'; Script = { "Get-DockerImage -ImageName $n -Registry $https -MaximumRetryCount many -Tag " } }) {
        $found = Get-Completion (& $Script)
        # The engine itself offers files where a completer has nothing.
        $found.Text | Should -Not -Contain 'latest'
        $found.ErrorCount | Should -Be 0
        @($found.Line) + @($found.Verbose) + @($found.Warning) | Where-Object { $_ } | Should -BeNullOrEmpty
    }

    It 'gives a registry that does not answer up' {
        Add-TestRoute "/v2/$n/tags/list" @(@{ closeBeforeResponse = $true; stallAfter = 0 })
        $found = Get-Completion "Get-DockerImage -ImageName $n -Registry $https -CACertificatePath '$ca' -Tag "
        Remove-TestRoute "/v2/$n/tags/list"
        $found.Text | Should -Not -Contain 'latest'
        $found.ErrorCount | Should -Be 0
        # The command itself would wait for half a minute.
        $found.Elapsed.TotalSeconds | Should -BeLessThan 15
    }
}
