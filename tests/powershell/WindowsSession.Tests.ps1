# What a user's session on Windows has: a console, a folder, programs on the PATH, certificates and proxies.
BeforeAll {
    Import-Module (Join-Path $PSScriptRoot 'TestRegistry.psm1')
    Import-Module (Join-Path $PSScriptRoot 'Engine.psm1')
    Import-Module $env:WSLIMAGE_MODULE
    $registry = Get-TestRegistry
    $at = @{ Registry = $registry.Https; CACertificatePath = $registry.Ca }
    function New-Folder([string] $Name = [guid]::NewGuid().ToString('N')) { [IO.Directory]::CreateDirectory((Join-Path $TestDrive $Name)).FullName }
    function Get-Digest($Image, [System.Collections.IDictionary] $More = @{}) { (Get-DockerImageManifest -ImageName $Image.Repository @at @More 6>$null).digest }
}

Describe 'Ctrl+C in a console' {
    BeforeAll {
        # Add-Type would start a compiler in each of the processes.
        $console = @'
$module = [System.Reflection.Emit.AssemblyBuilder]::DefineDynamicAssembly((New-Object System.Reflection.AssemblyName 'Console'), 'Run').DefineDynamicModule('Console')
$type = $module.DefineType('Console', 'Public')
function Add-Function([string] $Name, [type[]] $Parameter) {
    $function = $type.DefinePInvokeMethod($Name, 'kernel32.dll', 'Public, Static, PinvokeImpl', 'Standard', [bool], $Parameter, 'Winapi', 'Unicode')
    $function.SetImplementationFlags('PreserveSig')
}
Add-Function 'FreeConsole' @()
Add-Function 'AttachConsole' @([uint32])
Add-Function 'SetConsoleCtrlHandler' @([IntPtr], [bool])
Add-Function 'GenerateConsoleCtrlEvent' @([uint32], [uint32])
$console = $type.CreateType()

'@
        # A PowerShell with a console of its own, which is not shown.
        function Start-Console([string] $Script, [System.Collections.IDictionary] $Environment) {
            $path = Join-Path $folder "$([guid]::NewGuid().ToString('N')).ps1"
            [IO.File]::WriteAllText($path, $console + $Script)
            $start = New-Object System.Diagnostics.ProcessStartInfo ([System.Diagnostics.Process]::GetCurrentProcess().MainModule.FileName), "-NoProfile -NonInteractive -ExecutionPolicy Bypass -File `"$path`""
            $start.UseShellExecute = $false
            $start.CreateNoWindow = $start.RedirectStandardOutput = $start.RedirectStandardError = $true
            foreach ($name in $Environment.Keys) { $start.EnvironmentVariables[$name] = [string] $Environment[$name] }
            $process = [System.Diagnostics.Process]::Start($start)
            [pscustomobject]@{ Process = $process; Output = $process.StandardOutput.ReadToEndAsync(); Error = $process.StandardError.ReadToEndAsync() }
        }
        function Wait-Console($Started) {
            try {
                if (-not $Started.Process.WaitForExit(60000)) { $Started.Process.Kill(); throw 'A PowerShell did not end within a minute.' }
                "$($Started.Output.Result)$($Started.Error.Result)"
            }
            finally { $Started.Process.Dispose() }
        }
    }

    It 'ends the command and its script, which cleans up, and what has arrived is kept' {
        $folder = New-Folder
        $file = Join-Path (New-Folder) 'rootfs.tar.gz'
        [IO.File]::WriteAllText($file, 'older')
        $image = Add-TestImage -Layer @{ base64 = [Convert]::ToBase64String((Get-SampleByte 3000000)) }
        Add-TestRoute $image.BlobPath @(@{ pass = $true; stallAfter = 2000000 })
        $trace = Join-Path $folder 'trace'
        $running = Start-Console -Environment @{ TEST_IMAGE = $image.Repository; TEST_FILE = $file; TEST_TRACE = $trace } -Script @'
# Whoever started all of this may have had it ignored, which is inherited.
$null = $console::SetConsoleCtrlHandler([IntPtr]::Zero, $false)
Import-Module $env:WSLIMAGE_MODULE
try {
    Get-DockerImage -ImageName $env:TEST_IMAGE -DestinationFile $env:TEST_FILE -Registry $env:WSLIMAGE_TEST_REGISTRY_HTTPS -CACertificatePath $env:WSLIMAGE_TEST_REGISTRY_CA
    [IO.File]::AppendAllText($env:TEST_TRACE, 'next line,')
}
catch { [IO.File]::AppendAllText($env:TEST_TRACE, 'caught,') }
finally { [IO.File]::AppendAllText($env:TEST_TRACE, 'cleaned up') }
[IO.File]::AppendAllText($env:TEST_TRACE, ',end')
'@
        Wait-TestRequest $image.BlobPath
        [System.Threading.SpinWait]::SpinUntil({ $partial = New-Object IO.FileInfo "$file.partial"; $partial.Exists -and $partial.Length -ge 1048576 }, 60000) | Should -BeTrue
        # Ctrl+C is sent to all processes of one's own console.
        $sender = Start-Console -Environment @{ TEST_PROCESS = $running.Process.Id } -Script @'
$null = $console::FreeConsole()
"attached $($console::AttachConsole([uint32] $env:TEST_PROCESS))"
$null = $console::SetConsoleCtrlHandler([IntPtr]::Zero, $true)
"sent $($console::GenerateConsoleCtrlEvent(0, 0))"
'@
        Wait-Console $sender | Should -Match '(?s)attached True.*sent True'
        $said = Wait-Console $running
        [IO.File]::ReadAllText($trace) | Should -BeExactly 'cleaned up' -Because $said
        $said | Should -Not -Match 'Successfully'
        [IO.File]::ReadAllText($file) | Should -BeExactly 'older'
        Get-FolderContent (Split-Path $file) | Should -Be @('rootfs.tar.gz', 'rootfs.tar.gz.partial', 'rootfs.tar.gz.partial.digest')

        Remove-TestRoute $image.BlobPath
        Get-DockerImage -ImageName $image.Repository -DestinationFile $file @at 6>$null | Should -BeExactly $image.Hex
        "$(@(Get-TestLog -Path $image.BlobPath)[-1].headers.range)" | Should -Match '^bytes=[1-9]\d*-$'
        Get-FolderContent (Split-Path $file) | Should -Be @('rootfs.tar.gz')
    }
}

Describe 'The login' {
    BeforeAll {
        $basic = @{ scheme = 'basic'; username = 'helped'; password = 'Secr3t' }
        # A folder that the PATH of users may have.
        $bin = New-Folder "with space $([char] 0xF6)$([char] 0x65E5)"
        $path = "$bin;$env:PATH"
        $batch = "@echo off`r`nset /p server=`r`necho {`"ServerURL`":`"%server%`",`"Username`":`"helped`",`"Secret`":`"Secr3t`"}`r`n"
        foreach ($extension in 'cmd', 'bat') { [IO.File]::WriteAllText((Join-Path $bin "docker-credential-$extension-test.$extension"), $batch) }
        # The program, which answers only where it has no console window.
        $program = $env:WSLIMAGE_TEST_CREDENTIAL_HELPER
        if ($program) { foreach ($name in 'exe-test', 'wincred') { Copy-Item -LiteralPath $program -Destination (Join-Path $bin "docker-credential-$name.exe") } }
        function New-Config([string] $Folder, [string] $Text) { [IO.File]::WriteAllText((Join-Path ([IO.Directory]::CreateDirectory($Folder).FullName) 'config.json'), $Text) }
        $noProgram = 'no C compiler for Windows has made the helper (WSLIMAGE_TEST_CREDENTIAL_HELPER)'
    }

    It 'comes from the helper docker-credential-NAME.<Kind>, which the PATH leads to' -ForEach @(@{ Kind = 'cmd' }, @{ Kind = 'bat' }, @{ Kind = 'exe' }) {
        if ($Kind -eq 'exe' -and -not $program) { Set-ItResult -Skipped -Because $noProgram }
        $image = Add-TestImage -Auth $basic
        $folder = New-Folder
        foreach ($setting in "`"credHelpers`":{`"$($registry.Https)`":`"$Kind-test`"}", "`"credsStore`":`"$Kind-test`"") {
            New-Config $folder "{$setting}"
            Invoke-With @{ DOCKER_CONFIG = $folder; PATH = $path } { Get-Digest $image | Should -BeExactly $image.Digest }
        }
    }

    It 'comes from docker-credential-wincred.exe where nothing is said and it is there' {
        if (-not $program) { Set-ItResult -Skipped -Because $noProgram }
        $image = Add-TestImage -Auth $basic
        Invoke-With @{ DOCKER_CONFIG = (New-Folder); PATH = $path } { Get-Digest $image | Should -BeExactly $image.Digest }
    }

    It 'comes from .docker\config.json in $env:USERPROFILE' {
        $image = Add-TestImage -Auth $basic
        $user = New-Folder "user $([char] 0xF6)$([char] 0x65E5)"
        Invoke-With @{ DOCKER_CONFIG = $null; USERPROFILE = $user } {
            (Get-Failure { Get-Digest $image }).FullyQualifiedErrorId | Should -BeLike 'Unauthorized,*'
            $auth = [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes('helped:Secr3t'))
            New-Config (Join-Path $user '.docker') "{`"auths`":{`"$($registry.Https)`":{`"auth`":`"$auth`"}}}"
            Get-Digest $image | Should -BeExactly $image.Digest
            $run = Invoke-Engine 'Get-DockerImageManifest @given -Verbose' @{ given = @{ ImageName = $image.Repository } + $at }
            $run.Verbose | Should -Contain "The login for $($registry.Https) comes from $user\.docker\config.json"
        }
    }
}

Describe 'The certificates of Windows' {
    BeforeAll {
        $image = Add-TestImage
        $base64 = [IO.File]::ReadAllText($registry.Ca) -replace '-----[^-]+-----' -replace '\s'
        $authority = New-Object System.Security.Cryptography.X509Certificates.X509Certificate2 (, [Convert]::FromBase64String($base64))
        $roots = 'Software\Microsoft\SystemCertificates\Root\Certificates'
        # In a process of its own: one that has looked into the store may not see what is new there. And of a listener of its
        # own: what Windows has found out about a certificate it keeps.
        function Get-Told([string] $Store) {
            if ($Store) {
                $hive = [Microsoft.Win32.Registry]::$Store
                # Not by X509Store, which on Windows asks the user on the screen before it takes a root.
                try {
                    $key = $hive.CreateSubKey("$roots\$($authority.Thumbprint)")
                    $key.SetValue('Blob', $authority.Export('SerializedCert'))
                    $key.Dispose()
                }
                catch { Set-ItResult -Skipped -Because "this user may not change the roots of $Store`: $_" }
            }
            try {
                $run = Invoke-Shell -Folder $TestDrive -Environment @{ TEST_IMAGE = $image.Repository; TEST_AUTHORITY = $base64; TEST_REGISTRY = (Add-TestListener) } -Script @'
$authority = New-Object System.Security.Cryptography.X509Certificates.X509Certificate2 (, [Convert]::FromBase64String($env:TEST_AUTHORITY))
$chain = New-Object System.Security.Cryptography.X509Certificates.X509Chain
$chain.ChainPolicy.RevocationMode = 'NoCheck'
"trusted: $($chain.Build($authority))"
Import-Module $env:WSLIMAGE_MODULE
try { (Get-DockerImageManifest -ImageName $env:TEST_IMAGE -Registry $env:TEST_REGISTRY -MaximumRetryCount 0 6>$null).digest }
catch { "$($_.FullyQualifiedErrorId) $($_.Exception.Message)" }
'@
                $run.Output
            }
            finally { if ($Store) { $hive.DeleteSubKeyTree("$roots\$($authority.Thumbprint)", $false) } }
        }
    }

    It 'make the registry''s good: <Store>' -ForEach @(@{ Store = 'CurrentUser' }, @{ Store = 'LocalMachine' }) {
        $told = Get-Told $Store
        if ($told -match 'trusted: False') { Set-ItResult -Skipped -Because "Windows does not trust what was put into the store of $Store without asking the user" }
        $told | Should -Match ([regex]::Escape($image.Digest))
    }

    It 'no longer do so when it is taken out' {
        $told = Get-Told
        $told | Should -Match 'trusted: False'
        $told | Should -Match 'TlsFailed,.*certificate'
    }
}

Describe 'The proxy of Windows'' settings' {
    BeforeAll {
        $settings = [Microsoft.Win32.Registry]::CurrentUser.CreateSubKey('Software\Microsoft\Windows\CurrentVersion\Internet Settings\Connections')
        $before = $settings.GetValue('DefaultConnectionSettings')
        # What the settings' window writes: a mark, a count of changes, what is on, and three texts with their lengths.
        # Other programs, which see it too, reach this machine all the same.
        function Set-Settings([string] $Proxy = '', [string] $Exceptions = '', [string] $Script = '') {
            $memory = New-Object IO.MemoryStream
            $writer = New-Object IO.BinaryWriter $memory
            $on = 1
            if ($Proxy) { $on = $on -bor 2 }
            if ($Script) { $on = $on -bor 4 }
            foreach ($number in 0x46, 1, $on) { $writer.Write([int] $number) }
            foreach ($text in $Proxy, "localhost;127.0.0.1;$Exceptions", $Script) {
                $bytes = [Text.Encoding]::ASCII.GetBytes($text)
                $writer.Write([int] $bytes.Length)
                $writer.Write($bytes)
            }
            $writer.Write((New-Object byte[] 32))
            $settings.SetValue('DefaultConnectionSettings', $memory.ToArray())
        }
        # A name that only the proxy knows.
        $proxy = Add-TestProxy @{ name = 'windows'; hosts = @{ 'registry.test:443' = $registry.Https } }
        $image = Add-TestImage
        $given = @{ ImageName = $image.Repository; Registry = 'registry.test'; CACertificatePath = $registry.Ca; ConnectionTimeoutSeconds = 10 }
        function Get-It { (Get-DockerImageManifest @given 6>$null).digest }
        # The other tests are kept from these settings by NO_PROXY.
        $noProxy = $env:NO_PROXY
        $env:NO_PROXY = $null
    }
    AfterEach {
        if ($null -eq $before) { $settings.DeleteValue('DefaultConnectionSettings', $false) } else { $settings.SetValue('DefaultConnectionSettings', $before) }
    }
    AfterAll {
        $env:NO_PROXY = $noProxy
        $settings.Dispose()
    }

    It 'is used, and named where it fails' {
        Set-Settings -Proxy $proxy
        Get-It | Should -BeExactly $image.Digest
        $closed = Get-ClosedAddress
        Set-Settings -Proxy $closed
        $failure = Get-Failure { Get-It }
        $failure.FullyQualifiedErrorId | Should -BeLike 'ProxyFailed,*'
        $failure.Exception.Message | Should -Match "$([regex]::Escape($closed)) \(Windows' settings\)"
    }

    It 'is not used for its exceptions, nor for those of NO_PROXY, nor where $env:HTTPS_PROXY or -NoProxy says otherwise' {
        Set-Settings -Proxy $proxy -Exceptions '*.test;<local>'
        (Get-Failure { Get-It }).FullyQualifiedErrorId | Should -BeLike 'ConnectionFailed,*'
        Set-Settings -Proxy $proxy
        Invoke-With @{ NO_PROXY = 'registry.test' } { (Get-Failure { Get-It }).FullyQualifiedErrorId | Should -BeLike 'ConnectionFailed,*' }
        (Get-Failure { Get-DockerImageManifest @given -NoProxy }).FullyQualifiedErrorId | Should -BeLike 'ConnectionFailed,*'
        $closed = Get-ClosedAddress
        Invoke-With @{ HTTPS_PROXY = "http://$closed" } { (Get-Failure { Get-It }).Exception.Message | Should -Match "$([regex]::Escape($closed)) \(HTTPS_PROXY\)" }
    }

    It 'is what the script on the network says' {
        $script = "/pac/$([guid]::NewGuid().ToString('N')).pac"
        Add-TestRoute $script @(@{ status = 200; headers = @{ 'content-type' = 'application/x-ns-proxy-autoconfig' }
                body = "function FindProxyForURL(url, host) { return host == 'registry.test' ? 'PROXY $proxy' : 'DIRECT'; }" })
        Set-Settings -Script "http://$($registry.Http)$script"
        Get-It | Should -BeExactly $image.Digest
        @(Get-TestLog -Path $script).Count | Should -BeGreaterThan 0
        (Get-Failure { Get-DockerImageManifest -ImageName a/b -Registry elsewhere.invalid }).FullyQualifiedErrorId | Should -BeLike 'ConnectionFailed,*'
    }

    It 'is the one set by hand where the script is missing' {
        $script = "/pac/$([guid]::NewGuid().ToString('N')).pac"
        Add-TestRoute $script @(@{ status = 404 })
        Set-Settings -Proxy $proxy -Script "http://$($registry.Http)$script"
        Get-It | Should -BeExactly $image.Digest
        @(Get-TestLog -Path $script).Count | Should -BeGreaterThan 0
    }
}
