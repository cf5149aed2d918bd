# Stands in for wsl.exe where `wsl` is an alias of it: writes down what it is called with, and takes an archive only if WSL would.
# $env:WSL_STATE is a folder: calls.txt has a line of JSON for each call, distributions.txt what was imported.
$ErrorActionPreference = 'Stop'
$given = @($args | ForEach-Object { "$_" })
[IO.File]::AppendAllText((Join-Path $env:WSL_STATE 'calls.txt'), (ConvertTo-Json -InputObject $given -Compress) + "`n")
$state = Join-Path $env:WSL_STATE 'distributions.txt'
$names = @(if (Test-Path -LiteralPath $state) { Get-Content -LiteralPath $state })

# As UTF-16 looks to what expects one byte a character.
function Write-Said([string] $Text) { $Text -replace '(?s).', "`$0$([char] 0)" }

function Exit-WithError([string] $Message, [string] $Code) {
    Write-Said $Message
    Write-Said "Error code: Wsl/Service/$Code"
    exit -1
}

# The names of the entries in a tar.gz.
function Get-EntryName([string] $File) {
    $plain = New-Object IO.MemoryStream
    $stream = New-Object IO.Compression.GZipStream ([IO.File]::OpenRead($File)), ([IO.Compression.CompressionMode]::Decompress)
    try { $stream.CopyTo($plain) } finally { $stream.Dispose() }
    $bytes = $plain.ToArray()
    for ($at = 0; $at + 512 -le $bytes.Length -and $bytes[$at] -ne 0; $at += 512 + 512 * [Math]::Ceiling($size / 512)) {
        $size = [Convert]::ToInt64([Text.Encoding]::ASCII.GetString($bytes, $at + 124, 11).Trim([char] 0, ' '), 8)
        [Text.Encoding]::UTF8.GetString($bytes, $at, 100).Trim([char] 0) -replace '^(\./|/)', ''
    }
}

# As WSL 2 does it, with the same arguments; bsdtar's exit code decides. Without one, the archive must be readable at least.
function Test-Archive([string] $File) {
    if (-not (Get-Command bsdtar -CommandType Application -ErrorAction SilentlyContinue)) {
        try { $entries = @(Get-EntryName $File) } catch { return 'E_IMPORT_FAILED' }
        if (-not ($entries -match '^(etc/|bin/sh$)')) { return 'WSL_E_NOT_A_LINUX_DISTRO' }
        return
    }
    $root = New-Item -ItemType Directory -Path (Join-Path $env:WSL_STATE "root-$([guid]::NewGuid().ToString('N'))")
    try {
        $null = & bsdtar -C $root.FullName -x -p --xattrs --numeric-owner -f $File 2>&1
        if ($LASTEXITCODE -ne 0) { return 'E_IMPORT_FAILED' }
        if (-not (Test-Path (Join-Path $root.FullName 'etc')) -and -not (Test-Path (Join-Path $root.FullName 'bin/sh'))) { return 'WSL_E_NOT_A_LINUX_DISTRO' }
    }
    finally { Remove-Item -LiteralPath $root.FullName -Recurse -Force }
}

switch ($given[0]) {
    '--list' {
        if (-not $names) { Exit-WithError 'There are no installed distributions.' 'WSL_E_DEFAULT_DISTRO_NOT_FOUND' }
        foreach ($name in $names) { Write-Said $name }
        exit 0
    }
    '--import' {
        $name, $folder, $file = $given[1..3]
        if ($name -notmatch '^[a-zA-Z0-9._-]{1,256}$') { Exit-WithError 'The parameter is incorrect.' 'E_INVALIDARG' }
        if ($names -contains $name) { Exit-WithError 'A distribution with the supplied name already exists.' 'ERROR_ALREADY_EXISTS' }
        if (-not [IO.Path]::IsPathRooted($folder) -or -not [IO.File]::Exists($file)) { Exit-WithError 'The system cannot find the path specified.' 'ERROR_PATH_NOT_FOUND' }
        if (($given.Count -gt 4) -and ($given[4] -ne '--version' -or $given[5] -notin '1', '2')) { Exit-WithError 'Invalid command line argument.' 'E_INVALIDARG' }
        $refused = Test-Archive $file
        if ($refused) { Exit-WithError 'Importing the distribution failed.' $refused }
        $null = [IO.Directory]::CreateDirectory($folder)
        [IO.File]::WriteAllText((Join-Path $folder 'ext4.vhdx'), $name)
        [IO.File]::WriteAllLines($state, [string[]] (@($names) + $name))
        exit 0
    }
    '--unregister' {
        if ($names -notcontains $given[1]) { Exit-WithError 'There is no distribution with the supplied name.' 'WSL_E_DISTRO_NOT_FOUND' }
        [IO.File]::WriteAllLines($state, [string[]] @($names -ne $given[1]))
        exit 0
    }
    default { Exit-WithError 'Invalid command line argument.' 'E_INVALIDARG' }
}
