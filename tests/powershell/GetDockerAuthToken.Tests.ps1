# What Get-DockerAuthToken gives: the token for pulling from one repository, or nothing where none is asked for.
BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'TestRegistry.psm1')
    Import-Module (Join-Path $PSScriptRoot 'Engine.psm1')
    Import-Module $env:WSLIMAGE_MODULE
    $registry = Get-TestRegistry
    $at = @{ Registry = $registry.Https; CACertificatePath = $registry.Ca }
}

Describe 'Get-DockerAuthToken' {
    It 'gives a token that the registry takes' {
        $image = Add-TestImage
        $result = @(Get-DockerAuthToken -Repository $image.Repository @at)
        $result.Count | Should -Be 1
        $result[0] | Should -BeOfType ([string])
        (Get-DockerImageManifest -AuthToken $result[0] -ImageName $image.Repository -Tag latest @at 6>$null).digest | Should -BeExactly $image.Digest
    }

    It 'asks where and for what the registry says' {
        $repository = New-TestRepository
        $realm = "/realm/$([guid]::NewGuid().ToString('N'))"
        $null = Add-TestImage -Repository $repository -Auth @{ scheme = 'bearer'; anonymous = $true; realm = "https://$($registry.Https)$realm"; service = 'some service & more' }
        Add-TestRoute $realm @(@{ status = 200; headers = @{ 'Content-Type' = 'application/json' }; body = '{"token":"the token"}' })
        Get-DockerAuthToken -Repository $repository @at | Should -BeExactly 'the token'
        $query = @(Get-TestLog -Path $realm)[0].query
        $values = @{}
        foreach ($pair in $query.TrimStart('?').Split('&')) { $name, $value = $pair.Split('='); $values[$name] = [uri]::UnescapeDataString($value.Replace('+', ' ')) }
        $values.service | Should -BeExactly 'some service & more'
        $values.scope | Should -BeExactly "repository:${repository}:pull"
    }

    It 'gives nothing where the registry asks for none' {
        $image = Add-TestImage -Auth @{ scheme = 'none' }
        @(Get-DockerAuthToken -Repository $image.Repository @at).Count | Should -Be 0
    }

    It 'says nothing to people' {
        $image = Add-TestImage
        (Invoke-Engine 'Get-DockerAuthToken -Repository $name @at' @{ name = $image.Repository; at = $at }).Line | Should -BeNullOrEmpty
    }

    It 'fails with the original''s sentence when <What>' -ForEach @(
        @{ What = 'the token service refuses'; Step = @{ status = 401; body = '{"errors":[{"code":"UNAUTHORIZED","message":"you shall not"}]}' }; Told = 'you shall not' }
        @{ What = 'the token service forbids'; Step = @{ status = 403; body = '{"details":"not for you"}' }; Told = '403' }
        @{ What = 'the token service is not there'; Step = @{ status = 404; body = 'nothing' }; Told = '404' }
        @{ What = 'the token service is broken'; Step = @{ status = 501 }; Told = '501' }
        @{ What = 'the answer is no JSON'; Step = @{ status = 200; body = '<html>' }; Told = '' }) {
        $repository = New-TestRepository
        $realm = "/realm/$([guid]::NewGuid().ToString('N'))"
        $null = Add-TestImage -Repository $repository -Auth @{ scheme = 'bearer'; anonymous = $true; realm = "https://$($registry.Https)$realm" }
        Add-TestRoute $realm @($Step)
        $failure = Get-Failure { Get-DockerAuthToken -Repository $repository @at }
        $failure.Exception | Should -BeOfType ([WslImageDownloadException])
        $failure.Exception.Message | Should -BeLike "Failed to get authentication token: *$Told*"
    }

    It 'fails with the original''s sentence when nothing listens' {
        $failure = Get-Failure { Get-DockerAuthToken -Registry (Get-ClosedAddress) -Repository a/b }
        $failure.Exception | Should -BeOfType ([WslImageDownloadException])
        $failure.Exception.Message | Should -BeLike 'Failed to get authentication token: *'
    }
}
