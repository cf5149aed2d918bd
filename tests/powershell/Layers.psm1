# Layers made here as tar archives (ustar), the same on every machine, and images of them as files and folders.

# One entry as tar has it: a header of 512 bytes, and the content filled up to a multiple of that.
function Add-Entry([IO.Stream] $Tar, [System.Collections.IDictionary] $Entry) {
    $content = [Text.Encoding]::UTF8.GetBytes("$($Entry.Text)")
    if ($Entry.Bytes) { $content = [byte[]] $Entry.Bytes }
    $type, $mode = if ($Entry.Link) { '2', 511 } elseif ($Entry.HardLink) { '1', 420 } elseif ($Entry.Name.EndsWith('/')) { '5', 493 } else { '0', 420 }
    if ($null -ne $Entry.Mode) { $mode = $Entry.Mode }
    $header = New-Object byte[] 512
    function Write-Field([int] $At, [string] $Text) { $bytes = [Text.Encoding]::UTF8.GetBytes($Text); [Array]::Copy($bytes, 0, $header, $At, $bytes.Length) }
    function Get-Octal([long] $Number, [int] $Width) { [Convert]::ToString($Number, 8).PadLeft($Width, '0') }
    Write-Field 0 $Entry.Name
    Write-Field 100 (Get-Octal $mode 7)
    Write-Field 108 (Get-Octal 0 7)
    Write-Field 116 (Get-Octal 0 7)
    Write-Field 124 (Get-Octal $content.Length 11)
    Write-Field 136 (Get-Octal 1709288430 11)
    Write-Field 148 '        '
    Write-Field 156 $type
    Write-Field 157 "$($Entry.Link)$($Entry.HardLink)"
    Write-Field 257 "ustar$([char] 0)00"
    $sum = 0
    foreach ($byte in $header) { $sum += $byte }
    Write-Field 148 "$(Get-Octal $sum 6)$([char] 0) "
    $Tar.Write($header, 0, 512)
    $Tar.Write($content, 0, $content.Length)
    $rest = (512 - $content.Length % 512) % 512
    $Tar.Write((New-Object byte[] 512), 0, $rest)
}

# A tar archive of entries: @{ Name = 'etc/' }, @{ Name = 'etc/hosts'; Text = '...' } or Bytes, @{ Name = 'lib'; Link = 'usr/lib' }, @{ Name = 'b'; HardLink = 'a' }.
function New-Tar([object[]] $Entry) {
    $tar = New-Object IO.MemoryStream
    foreach ($one in $Entry) { Add-Entry $tar $one }
    $tar.Write((New-Object byte[] 1024), 0, 1024)
    , $tar.ToArray()
}

function Compress-Byte([byte[]] $Bytes) {
    $memory = New-Object IO.MemoryStream
    $gzip = New-Object IO.Compression.GZipStream $memory, ([IO.Compression.CompressionMode]::Compress)
    $gzip.Write($Bytes, 0, $Bytes.Length)
    $gzip.Dispose()
    $compressed = $memory.ToArray()
    # The header tells the system (RFC 1952, 2.3.1): always Unix, so that the bytes are the same.
    $compressed[9] = 3
    , $compressed
}

# A zstd frame of blocks as they are (RFC 8878, 3.1.1): it needs no compressor, which not every machine has.
function ConvertTo-Zstd([byte[]] $Bytes) {
    $memory = New-Object IO.MemoryStream
    $writer = New-Object IO.BinaryWriter $memory
    $writer.Write([uint32] 4247762216)
    # One segment, and the size in four bytes.
    $writer.Write([byte] 0xA0)
    $writer.Write([uint32] $Bytes.Length)
    $most = 131072
    for ($at = 0; $at -lt $Bytes.Length; $at += $most) {
        $count = [Math]::Min($most, $Bytes.Length - $at)
        $header = [BitConverter]::GetBytes([uint32] ($count * 8 + [int] ($at + $count -eq $Bytes.Length)))
        $writer.Write($header, 0, 3)
        $writer.Write($Bytes, $at, $count)
    }
    $writer.Flush()
    , $memory.ToArray()
}

# A blob for the test registry: a gzip layer, or a plain one.
function New-Layer([object[]] $Entry, [switch] $Plain) {
    $tar = New-Tar $Entry
    if ($Plain) { return @{ base64 = [Convert]::ToBase64String($tar); mediaType = 'application/vnd.oci.image.layer.v1.tar' } }
    @{ base64 = [Convert]::ToBase64String((Compress-Byte $tar)) }
}

# What WSL wants to find in a root filesystem, so that no warning is due.
function Get-RootEntry { @{ Name = 'bin/' }, @{ Name = 'bin/sh'; Text = '#!'; Mode = 493 }, @{ Name = 'etc/' }, @{ Name = 'etc/os-release'; Text = "ID=test`n" } }

# A root filesystem in three layers: the second one replaces a file, the third one takes one away and a whole folder.
function Get-ThreeLayer([int] $Count = 0) {
    New-Layer ((Get-RootEntry) + @(@{ Name = 'etc/motd'; Text = 'first' }, @{ Name = 'etc/gone'; Text = 'gone' }, @{ Name = 'opt/' }, @{ Name = 'opt/old'; Text = 'old' }, @{ Name = 'first'; Bytes = (Get-Sample $Count 1) }))
    New-Layer @(@{ Name = 'etc/motd'; Text = 'second' }, @{ Name = 'second'; Bytes = (Get-Sample $Count 2) })
    New-Layer @(@{ Name = 'etc/.wh.gone' }, @{ Name = '.wh.opt' }, @{ Name = 'srv/' }, @{ Name = 'srv/new'; Text = 'new' }, @{ Name = 'third'; Bytes = (Get-Sample $Count 3) })
}
$script:threeNames = @('bin/', 'bin/sh', 'etc/', 'etc/motd', 'etc/os-release', 'first', 'second', 'srv/', 'srv/new', 'third')
function Get-ThreeLayerName { $script:threeNames }

# Bytes that do not compress, the same for the same count and seed.
function Get-Sample([int] $Count, [int] $Seed) {
    $bytes = New-Object byte[] $Count
    (New-Object Random $Seed).NextBytes($bytes)
    , $bytes
}

# The names in an archive, sorted, its content in a folder, and a folder as an archive: by tar, which Windows has too, or by
# .NET where it is missing.
$script:hasTar = [bool] (Get-Command -Name tar -CommandType Application -ErrorAction SilentlyContinue)
function Use-Plain([string] $File, [scriptblock] $Script) {
    $stream = [IO.File]::OpenRead($File)
    try {
        $isGzip = $stream.ReadByte() -eq 0x1f
        $stream.Position = 0
        if ($isGzip) { $stream = New-Object IO.Compression.GZipStream $stream, ([IO.Compression.CompressionMode]::Decompress) }
        & $Script $stream
    }
    finally { $stream.Dispose() }
}
function Test-Tar { $script:hasTar }
function Get-ArchiveName([string] $File) {
    $names = if ($script:hasTar) {
        @(& tar -tf $File)
        if ($LASTEXITCODE -ne 0) { throw "tar cannot read $File" }
    }
    else {
        Use-Plain $File {
            $reader = New-Object Formats.Tar.TarReader $args[0]
            while ($entry = $reader.GetNextEntry()) { $entry.Name }
        }
    }
    $names = [string[]] @($names | ForEach-Object { $_ -replace '^\./', '' } | Where-Object { $_ })
    [Array]::Sort($names, [StringComparer]::Ordinal)
    $names
}
function Expand-Archived([string] $File, [string] $Folder) {
    $null = New-Item -ItemType Directory -Path $Folder -Force
    if (-not $script:hasTar) { Use-Plain $File { [Formats.Tar.TarFile]::ExtractToDirectory($args[0], $Folder, $true) }; return }
    & tar -xf $File -C $Folder
    if ($LASTEXITCODE -ne 0) { throw "tar cannot extract $File" }
}
function New-Archive([string] $File, [string] $Folder) {
    if (-not $script:hasTar) { [Formats.Tar.TarFile]::CreateFromDirectory($Folder, $File, $false); return }
    & tar -cf $File -C $Folder .
    if ($LASTEXITCODE -ne 0) { throw "tar cannot write $File" }
}

function Get-Hash([byte[]] $Bytes) {
    $sha = [Security.Cryptography.SHA256]::Create()
    [BitConverter]::ToString($sha.ComputeHash($Bytes)).Replace('-', '').ToLowerInvariant()
}

# An OCI image layout in a folder. Each image: @{ Name; Platform (os/architecture); Layer = tar archives as bytes }.
function New-Layout([string] $Folder, [object[]] $Image) {
    $blobs = (New-Item -ItemType Directory -Path ([IO.Path]::Combine($Folder, 'blobs', 'sha256')) -Force).FullName
    function Add-Blob([byte[]] $Bytes) {
        $hash = Get-Hash $Bytes
        [IO.File]::WriteAllBytes((Join-Path $blobs $hash), $Bytes)
        @{ digest = "sha256:$hash"; size = $Bytes.Length }
    }
    function Add-Document($Value) { Add-Blob ([Text.Encoding]::UTF8.GetBytes((ConvertTo-Json -InputObject $Value -Depth 20 -Compress))) }
    $entries = foreach ($one in $Image) {
        $os, $architecture = "$(if ($one.Platform) { $one.Platform } else { 'linux/amd64' })".Split('/')
        $diffIds = @($one.Layer | ForEach-Object { "sha256:$(Get-Hash $_)" })
        $layers = @(foreach ($tar in $one.Layer) { (Add-Blob (Compress-Byte $tar)) + @{ mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip' } })
        $config = (Add-Document @{ os = $os; architecture = $architecture; config = @{ Labels = @{ title = "$($one.Name)" } }; rootfs = @{ type = 'layers'; diff_ids = $diffIds } }) +
        @{ mediaType = 'application/vnd.oci.image.config.v1+json' }
        $manifest = Add-Document @{ schemaVersion = 2; mediaType = 'application/vnd.oci.image.manifest.v1+json'; config = $config; layers = $layers }
        $entry = $manifest + @{ mediaType = 'application/vnd.oci.image.manifest.v1+json'; platform = @{ os = $os; architecture = $architecture } }
        if ($one.Name) { $entry.annotations = @{ 'org.opencontainers.image.ref.name' = $one.Name } }
        $entry
    }
    [IO.File]::WriteAllText((Join-Path $Folder 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
    [IO.File]::WriteAllText((Join-Path $Folder 'index.json'), (ConvertTo-Json -InputObject @{ schemaVersion = 2; manifests = @($entries) } -Depth 20 -Compress))
}

# What docker save writes of one image: its layers as plain tar archives, its config, and the list of both.
function New-DockerArchive([string] $File, [string] $Name, [object[]] $Layer) {
    $config = [Text.Encoding]::UTF8.GetBytes((ConvertTo-Json -InputObject @{ os = 'linux'; architecture = 'amd64'; config = @{}; rootfs = @{ type = 'layers'; diff_ids = @($Layer | ForEach-Object { "sha256:$(Get-Hash $_)" }) } } -Depth 20 -Compress))
    $configName = "$(Get-Hash $config).json"
    $number = 0
    $entries = @(foreach ($tar in $Layer) { $number++; @{ Name = "layer-$number/layer.tar"; Bytes = $tar } })
    $list = ConvertTo-Json -InputObject @(@{ Config = $configName; RepoTags = @($Name); Layers = @($entries | ForEach-Object { $_.Name }) }) -Depth 20 -Compress
    [IO.File]::WriteAllBytes($File, (New-Tar ($entries + @(@{ Name = $configName; Bytes = $config }, @{ Name = 'manifest.json'; Text = $list }))))
}

Export-ModuleMember -Function New-Tar, Compress-Byte, ConvertTo-Zstd, Get-Hash, Test-Tar, New-Archive, New-Layer, Get-RootEntry, Get-ThreeLayer, Get-ThreeLayerName, Get-Sample, Get-ArchiveName, Expand-Archived, New-Layout, New-DockerArchive
