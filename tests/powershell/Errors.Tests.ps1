# How a command fails: the exception that callers catch, its sentence, its record, and that nothing after it runs.
BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'TestRegistry.psm1')
    Import-Module (Join-Path $PSScriptRoot 'Engine.psm1')
    Import-Module (Join-Path $PSScriptRoot 'Layers.psm1')
    Import-Module $env:WSLIMAGE_MODULE
    $registry = Get-TestRegistry
    $at = @{ Registry = $registry.Https; CACertificatePath = $registry.Ca }
}

Describe 'The exceptions' {
    It 'have the original''s names and bases in the global namespace' {
        [WslImageSourceNotFoundException].FullName | Should -BeExactly 'WslImageSourceNotFoundException'
        [WslImageSourceNotFoundException].BaseType | Should -Be ([WslImageDownloadException])
        [WslImageDownloadException].BaseType | Should -Be ([WslImageException])
        [WslImageException].BaseType | Should -Be ([WslManagerException])
        [WslManagerException].BaseType | Should -Be ([System.SystemException])
    }

    It 'can be made by callers from a message, and from a message and a cause' {
        $cause = New-Object System.IO.IOException 'cause'
        foreach ($name in 'WslManagerException', 'WslImageException', 'WslImageDownloadException', 'WslImageSourceNotFoundException') {
            (New-Object $name 'text').Message | Should -BeExactly 'text'
            (New-Object $name 'text', $cause).InnerException | Should -Be $cause
        }
    }

    It 'are caught by name, also in a script that was read before the module was loaded' {
        $image = Add-TestImage
        $run = Invoke-Shell -Folder $TestDrive -Environment @{ TEST_IMAGE = $image.Repository } -Script @'
Import-Module $env:WSLIMAGE_MODULE
function Get-It($tag) { Get-DockerImageManifest -Registry $env:WSLIMAGE_TEST_REGISTRY_HTTPS -CACertificatePath $env:WSLIMAGE_TEST_REGISTRY_CA -ImageName $env:TEST_IMAGE -Tag $tag 6>$null }
try { Get-It missing } catch [System.IO.IOException] { 'wrong' } catch [WslImageDownloadException] { "one $($_.Exception.GetType().Name)" }
try { Get-It missing } catch [WslImageSourceNotFoundException] { 'two' } catch { 'wrong' }
try { Get-It missing } catch [WslManagerException] { 'three' }
try { try { Get-It missing } finally { 'finally' } } catch { "four $($_.Exception.Message.Split(':')[0])" }
function Get-Five { trap [WslImageException] { 'five'; continue } Get-It missing; 'six' }
Get-Five
'@
        $run.Output.Trim() -split '\r?\n' | Should -Be @('one WslImageSourceNotFoundException', 'two', 'three', 'finally', 'four Image not found', 'five', 'six') -Because $run.Error
    }
}

Describe 'Failing with the original''s sentence' {
    BeforeEach { $file = Join-Path $TestDrive "$([guid]::NewGuid().ToString('N')).tar.gz" }

    It 'when <What>' -ForEach @(
        @{ What = 'the tag is missing'; Setup = { $image = Add-TestImage; $tag = 'missing' }; Type = 'WslImageSourceNotFoundException'; Message = 'Image not found: {registry}/{name}:missing'; Category = 'ObjectNotFound' }
        @{ What = 'the repository is missing'; Setup = { $image = @{ Repository = (New-TestRepository 'nothing') } }; Type = 'WslImageSourceNotFoundException'; Message = 'Image not found: {registry}/{name}:latest'; Category = 'ObjectNotFound' }
        @{ What = 'the registry refuses the manifest'; Setup = { $image = Add-TestImage -Auth @{ scheme = 'none' }; Add-TestRoute $image.ManifestPath @(@{ status = 401; body = '{"errors":[{"code":"UNAUTHORIZED","message":"no"}]}' }) }
            Type = 'WslImageDownloadException'; Message = 'Access denied to registry. The image may not exist or authentication failed.' }
        @{ What = 'the registry forbids the manifest'; Setup = { $image = Add-TestImage -Auth @{ scheme = 'none' }; Add-TestRoute $image.ManifestPath @(@{ status = 403; body = '{"errors":[{"code":"DENIED","message":"not yours"}]}' }) }
            Type = 'WslImageDownloadException'; Message = 'Failed to get manifest: '; Told = 'not yours' }
        @{ What = 'the token service refuses'; Setup = { $image = Add-TestImage -Auth @{ scheme = 'bearer'; deny = $true } }; Type = 'WslImageDownloadException'; Message = 'Failed to get authentication token: ' }
        @{ What = 'the registry answers 501'; Setup = { $image = Add-TestImage -Auth @{ scheme = 'none' }; Add-TestRoute $image.ManifestPath @(@{ status = 501 }) }; Type = 'WslImageDownloadException'; Message = 'Failed to get manifest: '; Told = '501' }
        @{ What = 'there is no amd64'; Setup = { $image = Add-TestImage -Platform @(@{ platform = @{ os = 'linux'; architecture = 'riscv64' }; layers = @(@{ text = 'x' }) }) }
            Type = 'WslImageDownloadException'; Message = 'No amd64 manifest found in the image manifest' }
        @{ What = 'the index is empty'; Setup = { $image = Add-TestImage -IndexOverrides @{ manifests = @() } }; Type = 'WslImageDownloadException'; Message = 'No manifests found in the image manifest' }
        @{ What = 'there are no layers'; Setup = { $image = Add-TestImage -Manifest @{ layers = @() } }; Type = 'WslImageDownloadException'; Message = 'The image layers are missing' }
        @{ What = 'a layer of several is no archive'; Setup = { $image = Add-TestImage -Layer (New-Layer (Get-RootEntry)), @{ text = '2' } }; Type = 'WslImageDownloadException'; Message = 'Failed to read layer 2 of {registry}/{name}:latest, sha256:'; Told = ': it is not a tar archive' }
        @{ What = 'a layer''s content has another DiffID'; Setup = { $image = Add-TestImage -ConfigText "{`"os`":`"linux`",`"architecture`":`"amd64`",`"rootfs`":{`"type`":`"layers`",`"diff_ids`":[`"sha256:$('a' * 64)`"]}}" }
            Type = 'WslImageDownloadException'; Message = 'Failed to read layer 1 of {registry}/{name}:latest, sha256:{hex}: its content does not match its DiffID. ' }
        @{ What = 'the manifest is larger than 4 MiB'; Setup = { $image = Add-TestImage -Auth @{ scheme = 'none' }; Add-TestRoute $image.ManifestPath @(@{ status = 200; headers = @{ 'Content-Type' = 'application/vnd.oci.image.index.v1+json' }; body = (' ' * 4194305) + '{}' }) }
            Type = 'WslImageDownloadException'; Message = 'Failed to get manifest: ' }
        @{ What = 'the manifest is not what its digest says'; Setup = { $image = Add-TestImage; Add-TestRoute "/v2/$($image.Repository)/manifests/$($image.Manifests[0])" @(@{ status = 200; headers = @{ 'Content-Type' = 'application/vnd.oci.image.manifest.v1+json' }; body = '{"schemaVersion":2}' }) }
            Type = 'WslImageDownloadException'; Message = 'Failed to get manifest: ' }
        @{ What = 'the layer is missing'; Setup = { $image = Add-TestImage; Add-TestRoute $image.BlobPath @(@{ status = 404; body = '{"errors":[{"code":"BLOB_UNKNOWN","message":"gone"}]}' }) }
            Type = 'WslImageDownloadException'; Message = 'Failed to download Docker image layer: '; Told = 'gone' }
        @{ What = 'the layer is cut'; Setup = { $image = Add-TestImage -Layer @{ base64 = [Convert]::ToBase64String((Get-SampleByte 100000)) }; Add-TestRoute $image.BlobPath @(@{ pass = $true; cutAfter = 5000 }) }
            Type = 'WslImageDownloadException'; Message = 'Failed to download Docker image layer: ' }
        @{ What = 'the layer has another digest'; Setup = { $image = Add-TestImage -Layer @{ text = 'right' }; Add-TestRoute $image.BlobPath @(@{ status = 200; body = 'wrong' }) }
            Type = 'WslImageDownloadException'; Message = "Downloaded file hash does not match expected hash. Expected: {hex}, Actual: 8810ad581e59f2bc3928b261707a71308f7e139eb04820366dc4d5c18d980225" }
        @{ What = 'nothing listens'; Setup = { $image = @{ Repository = 'a/b' }; $address = Get-ClosedAddress }; Type = 'WslImageDownloadException'; Message = 'Failed to get authentication token: ' }) {
        $tag = 'latest'
        $address = $registry.Https
        . $Setup
        $failure = Get-Failure { Get-DockerImage -ImageName $image.Repository -Tag $tag -DestinationFile $file -Registry $address -CACertificatePath $registry.Ca -MaximumRetryCount 0 }
        $failure.Exception.GetType().FullName | Should -BeExactly $Type
        $expected = $Message.Replace('{registry}', $address).Replace('{name}', $image.Repository).Replace('{hex}', "$($image.Hex)")
        $failure.Exception.Message.StartsWith($expected, [StringComparison]::Ordinal) | Should -BeTrue -Because "the message is: $($failure.Exception.Message)"
        if ($Told) { $failure.Exception.Message | Should -Match ([regex]::Escape($Told)) }
        if ($Category) { $failure.CategoryInfo.Category | Should -Be $Category }
        $failure.FullyQualifiedErrorId | Should -Match '^[A-Za-z]+(,|$)'
        $failure.CategoryInfo.Category | Should -Not -Be 'NotSpecified'
        $failure.TargetObject | Should -Not -BeNullOrEmpty
        Test-Path -LiteralPath $file | Should -BeFalse
    }

    It 'says that nobody vouches for the certificate, and what to do' {
        $failure = Get-Failure { Get-DockerImage -ImageName 'a/b' -DestinationFile $file -Registry $registry.Https }
        $failure.Exception | Should -BeOfType ([WslImageDownloadException])
        # Windows may say first that it could not ask whether the certificate was revoked.
        $failure.Exception.Message | Should -Match "its certificate is by an issuer that this system does not trust$(if (Test-Windows) { '|this system refuses its certificate' })"
        $failure.ErrorDetails.RecommendedAction | Should -Match 'issuer.*PEM file'
    }

    It 'names the same failure by the same id, and another by another' {
        $ids = @(foreach ($name in 'a', 'b') {
                $image = Add-TestImage
                (Get-Failure { Get-DockerImageManifest -ImageName $image.Repository -Tag $name @at }).FullyQualifiedErrorId
                Add-TestRoute $image.BlobPath @(@{ status = 404 })
                (Get-Failure { Get-DockerImage -ImageName $image.Repository -Tag latest -DestinationFile $file @at }).FullyQualifiedErrorId
            })
        $ids[0] | Should -BeExactly $ids[2]
        $ids[1] | Should -BeExactly $ids[3]
        $ids[0] | Should -Not -Be $ids[1]
    }

    It 'carries what the transport said as its cause' {
        $failure = Get-Failure { Get-DockerImage -ImageName a/b -Tag latest -DestinationFile $file -Registry (Get-ClosedAddress) }
        $failure.Exception.InnerException | Should -Not -BeNullOrEmpty
        $failure.Exception.InnerException.Message | Should -Not -BeNullOrEmpty
    }

    It 'says what can be done where something can' {
        $image = Add-TestImage -Auth @{ scheme = 'bearer'; anonymous = $false; username = 'somebody'; password = 'Secr3t' }
        $failure = Get-Failure { Get-DockerImageManifest -ImageName $image.Repository -Tag latest @at }
        $failure.ErrorDetails.RecommendedAction | Should -Not -BeNullOrEmpty
        # The views show both, so the message of the details is without the advice.
        "$($failure.ErrorDetails.Message) $($failure.ErrorDetails.RecommendedAction)" | Should -BeExactly $failure.Exception.Message
    }

    It 'writes one record and no second one' {
        $image = Add-TestImage
        $run = Invoke-Engine '$Error.Clear(); try { Get-DockerImage -ImageName $name -Tag missing -DestinationFile $file @at } catch { $_.Exception.GetType().Name }; $Error.Count' @{ name = $image.Repository; file = $file; at = $at }
        $run.Output | Should -Be @('WslImageSourceNotFoundException', 1)
        $run = Invoke-Engine '$ErrorActionPreference = "Stop"; try { Get-DockerImage -ImageName $name -Tag missing -DestinationFile $file @at } catch { $_.Exception.GetType().Name }' @{ name = $image.Repository; file = $file; at = $at }
        $run.Output | Should -Be @('WslImageSourceNotFoundException')
    }

    It 'points at the caller''s line' {
        $image = Add-TestImage
        $run = Invoke-Engine "'one'`nGet-DockerImageManifest -ImageName `$name -Tag missing @at" @{ name = $image.Repository; at = $at }
        $run.ErrorRecord.InvocationInfo.ScriptLineNumber | Should -Be 2
        $run.ErrorRecord.InvocationInfo.Line | Should -BeLike 'Get-DockerImageManifest*'
    }

    It 'keeps the caller''s secrets to itself' {
        $image = Add-TestImage -Auth @{ scheme = 'bearer'; anonymous = $false; username = 'somebody'; password = 'other' }
        $login = New-Object pscredential 'somebody', (ConvertTo-SecureString 'Secr3t/word' -AsPlainText -Force)
        $run = Invoke-Engine '$VerbosePreference = $DebugPreference = "Continue"; Get-DockerImageManifest -ImageName $name -Tag latest -Credential $login @at' @{ name = $image.Repository; login = $login; at = $at }
        $run.ErrorRecord | Should -Not -BeNullOrEmpty
        $text = @($run.Line) + @($run.Verbose) + @($run.Warning) + @($run.ErrorRecord | Out-String) + @($run.ErrorRecord.Exception.ToString()) -join "`n"
        $text | Should -Not -Match 'Secr3t'
        $text | Should -Not -Match ([regex]::Escape([Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes('somebody:Secr3t/word'))))
    }
}

Describe 'A script without try and catch' {
    BeforeAll {
        $image = Add-TestImage
        $given = @{ ImageName = $image.Repository; Tag = 'missing'; DestinationFile = (Join-Path $TestDrive 'x.tar.gz') } + $at
        # In a process of its own. What tells that a line ran must not stand in it, because an error shows its line.
        function Invoke-Script([string] $Lines) {
            Invoke-Shell -Folder $TestDrive -Environment @{ TEST_IMAGE = $image.Repository; TEST_FOLDER = $TestDrive } -Script @"
Import-Module `$env:WSLIMAGE_MODULE
`$given = @{ Registry = `$env:WSLIMAGE_TEST_REGISTRY_HTTPS; CACertificatePath = `$env:WSLIMAGE_TEST_REGISTRY_CA; ImageName = `$env:TEST_IMAGE; Tag = 'missing'; DestinationFile = (Join-Path `$env:TEST_FOLDER 'x.tar.gz') }
'before'
$Lines
'en' + 'ded'
"@
        }
    }

    It 'ends at the failing command, as at a throw: <Lines>' -ForEach @(
        @{ Lines = 'Get-DockerImage @given' }
        @{ Lines = 'Get-DockerImage @given -ErrorAction Continue' }
        @{ Lines = 'Get-DockerImage @given -ErrorAction SilentlyContinue' }
        @{ Lines = 'Get-DockerImage @given -ErrorAction Stop' }
        @{ Lines = '$ErrorActionPreference = "Stop"; Get-DockerImage @given' }
        @{ Lines = '$hash = Get-DockerImage @given; "ran on"' }
        @{ Lines = '$hash = Get-DockerImage @given 6>$null; "ran on"' }
        @{ Lines = 'function Get-It { Get-DockerImage @given; "ran on" }; Get-It' }
        @{ Lines = 'function Get-It { [CmdletBinding()] param() Get-DockerImage @given -ErrorAction SilentlyContinue; "ran on" }; Get-It' }
        @{ Lines = 'function Get-It { process { Get-DockerImage @given; "ran on" } end { "ran on" } }; 1, 2 | Get-It' }
        @{ Lines = '& { Get-DockerImage @given; "ran on" }' }
        @{ Lines = '1, 2 | ForEach-Object { Get-DockerImage @given; "ran on" }' }
        @{ Lines = 'Get-DockerImage @given | ForEach-Object { "ran on" }' }
        @{ Lines = 'if (Get-DockerImage @given) { "ran on" } else { "ran on" }' }
        @{ Lines = 'foreach ($i in 1, 2) { Get-DockerImage @given; "ran on" }' }
        @{ Lines = '. ([scriptblock]::Create(''Get-DockerImage @given; "ran on"''))' }
        @{ Lines = 'try { Get-DockerImage @given; "ran on" } finally { }' }) {
        $run = Invoke-Engine "'before'`n$Lines`n'ended'" @{ given = $given }
        $run.Output | Should -Be @('before')
        $run.State | Should -Be 'Failed'
        $run.Exception | Should -BeOfType ([WslImageSourceNotFoundException])
        $thrown = Invoke-Engine ("function Invoke-Throw { throw 'thrown' }`n'before'`n$Lines`n'ended'" -replace 'Get-DockerImage @given( -ErrorAction \w+)?', 'Invoke-Throw')
        $thrown.Output | Should -Be $run.Output
        $thrown.State | Should -Be $run.State
    }

    It 'goes on only where a throw lets it: $ErrorActionPreference <Action>' -ForEach @(@{ Action = 'SilentlyContinue' }, @{ Action = 'Ignore' }) {
        $run = Invoke-Engine "`$ErrorActionPreference = '$Action'; Get-DockerImage @given; 'ended'" @{ given = $given }
        $thrown = Invoke-Engine "function Invoke-Throw { throw 'thrown' }; `$ErrorActionPreference = '$Action'; Invoke-Throw; 'ended'"
        $run.State | Should -Be $thrown.State
        $run.Output | Should -Be $thrown.Output
    }

    It 'also ends where <Command> fails' -ForEach @(@{ Command = 'Get-DockerImageManifest' }, @{ Command = 'Get-DockerAuthToken' }) {
        $more = if ($Command -eq 'Get-DockerAuthToken') { @{ Registry = (Get-ClosedAddress); Repository = 'a/b' } } else { @{ ImageName = $image.Repository; Tag = 'missing' } + $at }
        $run = Invoke-Engine "'before'`n& `$command @more`n'ended'" @{ command = $Command; more = $more }
        $run.Output | Should -Be @('before')
        $run.State | Should -Be 'Failed'
    }

    It 'ends with exit code 1 and its error shown: <Lines>' -ForEach @(
        @{ Lines = 'Get-DockerImage @given' }
        @{ Lines = 'Get-DockerImage @given -ErrorAction SilentlyContinue' }
        @{ Lines = 'Get-DockerImage @given -ErrorAction Stop' }
        @{ Lines = 'function Get-It { Get-DockerImage @given; "ran" + "on" }; Get-It' }
        @{ Lines = '1, 2 | ForEach-Object { Get-DockerImage @given; "ran" + "on" }' }
        @{ Lines = '[IO.File]::WriteAllText("$env:TEST_FOLDER/inner.ps1", "Get-DockerImage @given`n''ran'' + ''on''"); & "$env:TEST_FOLDER/inner.ps1"; "ran" + "on"' }) {
        $run = Invoke-Script $Lines
        $run.Output | Should -Match 'before'
        $run.Output | Should -Not -Match 'ranon|ended'
        $run.ExitCode | Should -Be 1
        ($run.Output + $run.Error) -replace '\W+', ' ' | Should -Match 'Image not found'
    }
}
