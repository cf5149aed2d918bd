# How the three commands bind what callers write: names, positions, abbreviations, defaults.
BeforeDiscovery {
    # What the original has: name, position, mandatory; but for Tag, which need not be given beside a name that has it.
    $originals = @(
        @{ Command = 'Get-DockerImage'; Parameters = @(
                @{ Name = 'ImageName'; Position = 0; Mandatory = $true }, @{ Name = 'Tag'; Position = 1; Mandatory = $false }
                @{ Name = 'DestinationFile'; Position = 2; Mandatory = $true }, @{ Name = 'Registry'; Position = 3; Mandatory = $false }) }
        @{ Command = 'Get-DockerImageManifest'; Parameters = @(
                @{ Name = 'AuthToken'; Position = 0; Mandatory = $false }, @{ Name = 'ImageName'; Position = 1; Mandatory = $true }
                @{ Name = 'Tag'; Position = 2; Mandatory = $false }, @{ Name = 'Registry'; Position = 3; Mandatory = $false }) }
        @{ Command = 'Get-DockerAuthToken'; Parameters = @(
                @{ Name = 'Registry'; Position = 0; Mandatory = $false }, @{ Name = 'Repository'; Position = 1; Mandatory = $false }) }
    )
}

BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'TestRegistry.psm1')
    Import-Module (Join-Path $PSScriptRoot 'Engine.psm1')
    Import-Module $env:WSLIMAGE_MODULE
    $registry = Get-TestRegistry
    $ca = @{ CACertificatePath = $registry.Ca }
}

Describe '<Command>' -ForEach $originals {
    BeforeAll { $info = Get-Command -Name $Command -Module WslImage }

    It 'has -<Name> as the original has it' -ForEach $Parameters {
        $info | Should -HaveParameter $Name -Type ([string])
        $sets = @($info.Parameters[$Name].ParameterSets.Values)
        $sets.Count | Should -Be 1
        $sets[0].Position | Should -Be $Position
        $sets[0].IsMandatory | Should -Be $Mandatory
        $sets[0].ValueFromPipeline | Should -BeFalse
        $sets[0].ValueFromPipelineByPropertyName | Should -BeFalse
    }

    It 'has what every command that talks to a registry has, by name only' {
        foreach ($pair in @{ Credential = [pscredential]; CACertificatePath = [string]; SkipCertificateCheck = [switch]; PlainHttp = [switch]; Platform = [string]
                ConnectionTimeoutSeconds = [int]; OperationTimeoutSeconds = [int]; MaximumRetryCount = [int]; MaximumWaitSeconds = [int]; MaximumConnectionCount = [int]
                Proxy = [uri]; ProxyCredential = [pscredential]; ProxyUseDefaultCredentials = [switch]; NoProxy = [switch]; Mirror = [string[]]; CachePath = [string] }.GetEnumerator()) {
            $info | Should -HaveParameter $pair.Key -Type $pair.Value
            foreach ($set in $info.Parameters[$pair.Key].ParameterSets.Values) {
                $set.Position | Should -Be ([int]::MinValue) -Because $pair.Key
                $set.IsMandatory | Should -BeFalse -Because $pair.Key
            }
        }
    }

    It 'has no new parameter that takes an abbreviation of an old one' {
        $old = @($Parameters | ForEach-Object { $_.Name })
        $common = [System.Management.Automation.PSCmdlet]::CommonParameters
        $starts = @('Im', 'T', 'Des', 'R') + @(if ($Command -eq 'Get-DockerImageManifest') { 'A' })
        foreach ($parameter in $info.Parameters.Values) {
            if ($old -contains $parameter.Name -or $common -contains $parameter.Name) { continue }
            foreach ($name in @($parameter.Name) + @($parameter.Aliases)) {
                foreach ($start in $starts) { $name.StartsWith($start, [StringComparison]::OrdinalIgnoreCase) | Should -BeFalse -Because "-$name begins with $start" }
            }
        }
    }

    It 'takes -<Name> abbreviated to <Short>' -ForEach @(foreach ($parameter in $Parameters) {
            $shorts = @{ ImageName = 'Im', 'Image'; Tag = 'T', 'Ta'; DestinationFile = 'Des', 'Dest', 'Destination'; AuthToken = 'A', 'Auth'; Repository = 'Rep', 'Repo'
                Registry = $(if ($Command -eq 'Get-DockerAuthToken') { 'Reg' } else { 'R', 'Reg' }) }[$parameter.Name]
            foreach ($short in $shorts) { @{ Name = $parameter.Name; Short = $short } }
        }) {
        $info.ResolveParameter($Short).Name | Should -Be $Name
    }

    It 'says what it gives' {
        $type = @{ 'Get-DockerImage' = [string]; 'Get-DockerImageManifest' = [hashtable]; 'Get-DockerAuthToken' = [string] }[$Command]
        @($info.OutputType | ForEach-Object { $_.Type }) | Should -Contain $type
    }
}

Describe 'Binding' {
    BeforeAll {
        $image = Add-TestImage -Tag 'latest', '3.10', '3.1'
        $n, $r = $image.Repository, $registry.Https
    }
    BeforeEach { $f = Join-Path $TestDrive "$([guid]::NewGuid().ToString('N')).tar.gz" }

    It 'takes Get-DockerImage by position' { Get-DockerImage $n latest $f $r @ca 6>$null | Should -BeExactly $image.Hex }
    It 'takes Get-DockerImage by abbreviated names in any order' { Get-DockerImage -Reg $r -Dest $f -T latest -Image $n @ca 6>$null | Should -BeExactly $image.Hex }
    It 'takes Get-DockerImage half and half' { Get-DockerImage $n -Registry $r -Tag latest $f @ca 6>$null | Should -BeExactly $image.Hex }
    It 'takes Get-DockerImage splatted' {
        $given = @{ ImageName = $n; Tag = 'latest'; DestinationFile = $f; Registry = $r }
        Get-DockerImage @given @ca 6>$null | Should -BeExactly $image.Hex
    }
    It 'takes Get-DockerImageManifest by position, the token first' {
        $token = Get-DockerAuthToken $r $n @ca
        (Get-DockerImageManifest $token $n latest $r @ca 6>$null).digest | Should -BeExactly $image.Digest
    }
    It 'takes Get-DockerImageManifest by abbreviated names' { (Get-DockerImageManifest -Image $n -T latest -R $r @ca 6>$null).digest | Should -BeExactly $image.Digest }
    It 'takes Get-DockerAuthToken by position and by abbreviated names' {
        Get-DockerAuthToken $r $n @ca | Should -Not -BeNullOrEmpty
        Get-DockerAuthToken -Rep $n -Reg $r @ca | Should -Not -BeNullOrEmpty
    }
    It 'keeps a number as it was written' {
        $before = @(Get-TestLog -Repository $n).Count
        $null = Get-DockerImageManifest -ImageName $n -Tag 3.10 -Registry $r @ca 6>$null
        @(Get-TestLog -Repository $n | Select-Object -Skip $before | ForEach-Object { $_.path }) | Should -Contain "/v2/$n/manifests/3.10"
    }
    It 'refuses an empty <Name>' -ForEach @(@{ Name = 'ImageName' }, @{ Name = 'Tag' }, @{ Name = 'DestinationFile' }) {
        $given = @{ ImageName = $n; Tag = 'latest'; DestinationFile = $f; Registry = $r }
        $given[$Name] = ''
        $failure = Get-Failure { Get-DockerImage @given @ca }
        $failure.FullyQualifiedErrorId | Should -BeLike 'ParameterArgumentValidationError*,*'
    }
    It 'goes to ghcr.io when no registry is named' -ForEach @(@{ Command = 'Get-DockerImage' }, @{ Command = 'Get-DockerImageManifest' }) {
        # A certificate file that is not there ends the command before anything is asked.
        $run = Invoke-Engine '$given = @{ ImageName = "a/b"; Tag = "c"; CACertificatePath = "no-such-file.pem" }
            if ($command -eq "Get-DockerImage") { $given.DestinationFile = "x" }
            try { & $command @given } catch { }' @{ command = $Command }
        $run.Line -join "`n" | Should -Match 'ghcr\.io'
    }
    It 'refuses <Given>' -ForEach @(
        @{ Given = '-Proxy with -NoProxy'; More = @{ Proxy = 'http://proxy'; NoProxy = $true } }
        @{ Given = '-ProxyUseDefaultCredentials without -Proxy'; More = @{ ProxyUseDefaultCredentials = $true } }
        @{ Given = '-ProxyCredential without -Proxy'; More = @{ ProxyCredential = (New-Object pscredential 'user', (ConvertTo-SecureString 'Secr3t' -AsPlainText -Force)) } }
        @{ Given = '-Proxy with a password in it'; More = @{ Proxy = 'http://user:Secr3t@proxy' } }
        @{ Given = '-Mirror that is no host'; More = @{ Mirror = 'no host' } }) {
        $failure = Get-Failure { Get-DockerAuthToken $r $n @ca @More }
        $failure.FullyQualifiedErrorId | Should -BeLike 'InvalidArgument,*'
        $failure.CategoryInfo.Category | Should -Be 'InvalidArgument'
        $failure.Exception.Message | Should -Not -Match 'Secr3t'
    }
    It 'refuses -<Name> <Value> as the engine does' -ForEach @(
        @{ Name = 'ConnectionTimeoutSeconds'; Value = -1 }, @{ Name = 'OperationTimeoutSeconds'; Value = -1 }, @{ Name = 'MaximumRetryCount'; Value = -1 }
        @{ Name = 'MaximumWaitSeconds'; Value = 0 }, @{ Name = 'MaximumConnectionCount'; Value = 0 }, @{ Name = 'Mirror'; Value = '' }, @{ Name = 'CachePath'; Value = '' }) {
        $given = @{ $Name = $Value }
        (Get-Failure { Get-DockerAuthToken $r $n @ca @given }).FullyQualifiedErrorId | Should -BeLike 'ParameterArgumentValidationError,*'
    }
    It 'goes nowhere when Get-DockerAuthToken is given no registry' {
        $failure = Get-Failure { Get-DockerAuthToken }
        $failure.Exception | Should -BeOfType ([WslImageDownloadException])
        $failure.Exception.Message | Should -BeLike 'Failed to get authentication token: *'
    }
}
