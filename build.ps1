# Windows PowerShell 5.1 or later. The same as build.sh for Windows: finds Rust, a .NET SDK and PowerShell 7 or
# installs them into .tools\, then calls the xtask crate, which has the tasks.
param(
    [Parameter(Position = 0)] [string] $Task = '',
    [Parameter(Position = 1, ValueFromRemainingArguments = $true)] [string[]] $Arguments = @()
)
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
Set-Location -LiteralPath $PSScriptRoot
$tools = Join-Path $PSScriptRoot '.tools'
$versions = ConvertFrom-StringData (Get-Content -Raw -LiteralPath (Join-Path $PSScriptRoot 'build.versions'))
$separator = [IO.Path]::PathSeparator

$usage = @'
usage: .\build.ps1 TASK
  build              the module, ready to import, in out\WslImage
  test [SUITE...]    all suites, or the named ones (test --list shows them)
  fuzz [SECONDS]     the parsers, with damaged documents, each so long (60)
  demo [REFERENCE]   get an image as a user would, from a registry on loopback or the one named
  bench [--only S]   beside curl and skopeo; S: near, far, cut, together
  package            the module as the PowerShell Gallery takes it and as a zip file, in out\package
  library [RID...]   the native library alone, in out\libraries
Rust, a .NET SDK and PowerShell 7 are taken from PATH, else from $env:WSLIMAGE_TOOLCHAIN\bin or
..\shared\toolchain\bin, else installed into .tools\. With CI=true nothing may be missing.
'@

function Write-Line([string] $Text) {
    [Console]::Error.WriteLine("build.ps1: $Text")
}

# What a program prints, or nothing when it does not start or fails.
function Read-Output([string] $Path, [string[]] $Arguments) {
    # Windows PowerShell turns what a program writes to standard error into an error record.
    $ErrorActionPreference = 'SilentlyContinue'
    try {
        $lines = & $Path @Arguments 2>$null
        if ($LASTEXITCODE -eq 0) { $lines }
    } catch {
        Write-Verbose $_
    }
}

function Get-Version([string] $Text) {
    if ($Text -match '\d+\.\d+(\.\d+)?') { [version] $Matches[0] } else { [version] '0.0' }
}

$usable = @{
    cargo  = {
        param($path)
        $own = Join-Path $tools 'cargo'
        if ($path.StartsWith($own)) {
            Use-OwnRust
        }
        $version = Get-Version (Read-Output $path '--version')
        $wanted = Get-Version (Get-Content -LiteralPath Cargo.toml | Where-Object { $_ -match '^rust-version' })
        if ($version -lt $wanted -and $version -gt [version] '0.0') {
            Write-Line "$path is Rust $version, Cargo.toml asks for $wanted or later"
        }
        $version -ge $wanted
    }
    # An SDK that builds for net8.0; a runtime alone lists none.
    dotnet = { param($path) @(Read-Output $path '--list-sdks' | Where-Object { (Get-Version $_).Major -ge 8 }).Count -gt 0 }
    pwsh   = { param($path) (Get-Version (Read-Output $path '--version')) -ge [version] '7.4' }
}

# Used by a Rust of our own only: another one keeps its folders.
function Use-OwnRust {
    $env:RUSTUP_HOME = Join-Path $tools 'rustup'
    $env:CARGO_HOME = Join-Path $tools 'cargo'
}

# Puts a usable program on PATH: from PATH itself, a toolchain's folder or the one given.
function Find-Program([string] $Name, [string] $Folder) {
    $present = Get-Command -Name $Name -CommandType Application -ErrorAction SilentlyContinue | Select-Object -First 1
    if ($present -and (& $usable[$Name] $present.Path)) {
        return $true
    }
    $folders = @()
    if ($env:WSLIMAGE_TOOLCHAIN) {
        $folders += Join-Path $env:WSLIMAGE_TOOLCHAIN 'bin'
    }
    $folders += Join-Path $PSScriptRoot '../shared/toolchain/bin'
    $folders += $Folder
    foreach ($candidate in $folders) {
        foreach ($ending in '.exe', '.cmd') {
            $path = Join-Path $candidate "$Name$ending"
            if ((Test-Path -LiteralPath $path) -and (& $usable[$Name] $path)) {
                # One on PATH that is of no use must not stand before it.
                if ($present) {
                    $env:PATH = "$candidate$separator$env:PATH"
                } else {
                    $env:PATH = "$env:PATH$separator$candidate"
                }
                return $true
            }
        }
    }
    return $false
}

function Save-File([string] $Uri, [string] $Name) {
    $null = New-Item -ItemType Directory -Force -Path $tools
    [Net.ServicePointManager]::SecurityProtocol = [Net.SecurityProtocolType]::Tls12
    $path = Join-Path $tools $Name
    try {
        Invoke-WebRequest -UseBasicParsing -Uri $Uri -OutFile $path
    } catch {
        throw "$Uri cannot be fetched ($($_.Exception.Message))"
    }
    $path
}

function Install-Dotnet {
    $script = Save-File 'https://dot.net/v1/dotnet-install.ps1' 'dotnet-install.ps1'
    & $script -Version $versions.DOTNET_SDK -InstallDir (Join-Path $tools 'dotnet') -NoPath | Out-Host
    $env:DOTNET_ROOT = Join-Path $tools 'dotnet'
}

$install = @{
    cargo  = {
        $architecture = $env:PROCESSOR_ARCHITECTURE
        if ($env:PROCESSOR_ARCHITEW6432) {
            $architecture = $env:PROCESSOR_ARCHITEW6432
        }
        $triple = if ($architecture -eq 'ARM64') { 'aarch64-pc-windows-msvc' } else { 'x86_64-pc-windows-msvc' }
        Use-OwnRust
        $uri = "https://static.rust-lang.org/rustup/archive/$($versions.RUSTUP)/$triple/rustup-init.exe"
        $program = Save-File $uri 'rustup-init.exe'
        & $program -y -q --no-modify-path --profile minimal -c rustfmt -c clippy --default-toolchain $versions.RUST | Out-Host
    }
    dotnet = { Install-Dotnet }
    pwsh   = {
        # The tool runs on the runtime that belongs to the pinned SDK.
        $runtime = "Microsoft.NETCore.App $((Get-Version $versions.DOTNET_SDK).Major)."
        if (-not @(Read-Output 'dotnet' '--list-runtimes' | Where-Object { $_.StartsWith($runtime) }).Count) {
            Install-Dotnet
            $env:PATH = "$env:DOTNET_ROOT$separator$env:PATH"
        }
        & dotnet tool install powershell --version $versions.POWERSHELL --tool-path (Join-Path $tools 'powershell') | Out-Host
    }
}

# Finds a program or installs it into a folder; says so when neither can be.
function Confirm-Program([string] $Name, [string] $Folder, [string] $What) {
    if (Find-Program $Name $Folder) {
        return $true
    }
    $reason = 'the installation failed'
    try {
        & $install[$Name] | Out-Host
        if (Find-Program $Name $Folder) {
            return $true
        }
    } catch {
        $reason = $_.Exception.Message
    }
    Write-Line "could not get ${What}: no usable $Name on PATH or in a toolchain's folder, and $reason"
    return $false
}

# The line that counts the tests is the last one, also when there is nothing to run them.
function Exit-Early {
    if ($Task -eq 'test') {
        '0 passed, 1 failed'
    }
    exit 1
}

if ($Task -in 'help', '-h', '--help') {
    $usage
    exit 0
}
if ($Task -notin 'build', 'test', 'fuzz', 'demo', 'bench', 'package', 'library') {
    Write-Line "`n$usage"
    exit 2
}

if (-not (Confirm-Program 'cargo' (Join-Path $tools 'cargo/bin') "Rust $($versions.RUST)")) {
    Exit-Early
}
# xtask says what it cannot do without these, and with CI=true fails.
$env:DOTNET_CLI_TELEMETRY_OPTOUT = '1'
$env:DOTNET_NOLOGO = '1'
$env:POWERSHELL_TELEMETRY_OPTOUT = '1'
$env:POWERSHELL_UPDATECHECK = 'Off'
if (-not $env:DOTNET_ROOT -and (Test-Path -LiteralPath (Join-Path $tools 'dotnet/dotnet.exe'))) {
    $env:DOTNET_ROOT = Join-Path $tools 'dotnet'
}
if ($Task -notin 'fuzz', 'library') {
    $null = Confirm-Program 'dotnet' (Join-Path $tools 'dotnet') ".NET SDK $($versions.DOTNET_SDK)"
}
if ($Task -in 'test', 'demo', 'bench') {
    $null = Confirm-Program 'pwsh' (Join-Path $tools 'powershell') "PowerShell $($versions.POWERSHELL)"
}

$locked = @()
if ($env:CI -eq 'true') {
    $locked = @('--locked')
}
& cargo build --quiet @locked --package xtask
if ($LASTEXITCODE -ne 0) {
    Exit-Early
}
& cargo run --quiet @locked --package xtask -- $Task @Arguments
exit $LASTEXITCODE
