# What Get-Help shows.
BeforeAll { Import-Module $env:WSLIMAGE_MODULE }

Describe 'Get-Help <Command>' -ForEach @(@{ Command = 'Get-DockerImage' }, @{ Command = 'Get-DockerImageManifest' }, @{ Command = 'Get-DockerAuthToken' },
    @{ Command = 'Get-DockerImageTag' }, @{ Command = 'Get-WslImageCache' }, @{ Command = 'Clear-WslImageCache' }) {
    BeforeAll {
        $help = Get-Help -Name $Command -Full
        $info = Get-Command -Name $Command -Module WslImage
        $common = @([System.Management.Automation.PSCmdlet]::CommonParameters) + @([System.Management.Automation.PSCmdlet]::OptionalCommonParameters)
        $own = @($info.Parameters.Keys | Where-Object { $common -notcontains $_ })
        function Get-Text($Part) { (@($Part | ForEach-Object { $_.Text }) -join "`n").Trim() }
    }

    It 'has a synopsis and a description' {
        # Without a help file the engine shows the syntax there.
        $help.Synopsis.Trim() | Should -Not -BeNullOrEmpty
        $help.Synopsis | Should -Not -Match '\['
        Get-Text $help.description | Should -Not -BeNullOrEmpty
    }

    It 'describes each parameter, and none that is not there' {
        $described = @($help.parameters.parameter)
        $names = @($described | ForEach-Object { $_.name })
        foreach ($name in $own) {
            $names | Should -Contain $name
            Get-Text ($described | Where-Object { $_.name -eq $name }).description | Should -Not -BeNullOrEmpty -Because $name
        }
        foreach ($name in $names) { $info.Parameters.Keys | Should -Contain $name }
    }

    It 'says of each parameter what the command says of it' {
        foreach ($parameter in @($help.parameters.parameter)) {
            $set = @($info.Parameters["$($parameter.name)"].ParameterSets.Values)[0]
            if (-not $set -or $common -contains "$($parameter.name)") { continue }
            "$($parameter.required)" -eq 'true' | Should -Be $set.IsMandatory -Because $parameter.name
            if ($set.Position -ge 0) { "$($parameter.position)" | Should -Be "$($set.Position)" -Because $parameter.name } else { "$($parameter.position)" | Should -Be 'named' -Because $parameter.name }
        }
    }

    It 'has examples with code of the command, outputs and notes' {
        $examples = @($help.examples.example | Where-Object { $_ })
        $examples.Count | Should -BeGreaterThan 0
        foreach ($example in $examples) { $example.code | Should -Match $Command }
        Get-Text $help.returnValues.returnValue[0].description | Should -Not -BeNullOrEmpty
        @($help.returnValues.returnValue)[0].type.name | Should -Not -BeNullOrEmpty
        Get-Text $help.alertSet.alert | Should -Not -BeNullOrEmpty
    }

    It 'can be read' {
        $text = Get-Help -Name $Command -Full | Out-String -Width 120
        foreach ($part in @('SYNOPSIS', 'SYNTAX', 'DESCRIPTION', 'PARAMETERS', 'OUTPUTS', 'NOTES') + @($own | ForEach-Object { "-$_" })) { $text | Should -Match ([regex]::Escape($part)) }
    }

    It 'has examples that parse and bind' {
        foreach ($example in @($help.examples.example | Where-Object { $_ })) {
            $errors = $null
            $ast = [System.Management.Automation.Language.Parser]::ParseInput(($example.code -replace '(?m)^PS .*?> ', ''), [ref] $null, [ref] $errors)
            @($errors) | Should -BeNullOrEmpty -Because $example.code
            $calls = @($ast.FindAll({ param($node) $node -is [System.Management.Automation.Language.CommandAst] -and $node.GetCommandName() -eq $Command }, $true))
            foreach ($call in $calls) {
                foreach ($element in @($call.CommandElements | Where-Object { $_ -is [System.Management.Automation.Language.CommandParameterAst] })) {
                    { $info.ResolveParameter($element.ParameterName) } | Should -Not -Throw
                }
            }
        }
    }
}
