# Runs the cases of OriginalCases.ps1 with the commands of one side or of both, in this process, and writes what came of each
# as JSON: { case: { side: { output, error, records, lines, verbose, files } } }, every aspect a list of strings.
# What depends on the machine or the run is written as a word in capitals.
param([string] $Module, [string] $Original, [string] $Result, [string] $Folder, [string[]] $Only = @('*'))
$ErrorActionPreference = 'Stop'
Import-Module (Join-Path $PSScriptRoot 'TestRegistry.psm1')
Import-Module (Join-Path $PSScriptRoot 'Engine.psm1')
Import-Module (Join-Path $PSScriptRoot 'Layers.psm1')
$global:PSDefaultParameterValues = Get-TestDefault
$cases = @(. (Join-Path $PSScriptRoot 'OriginalCases.ps1'))
$registry = (Get-TestRegistry).Https
$closed = Get-ClosedAddress
$invariant = [Globalization.CultureInfo]::InvariantCulture

# A value and all in it, one line for each: where, type, value.
function Get-Tree($Value, [string] $Path) {
    if ($null -eq $Value) { return "$Path null" }
    $type = $Value.GetType().FullName
    if ($Value -is [System.Collections.IDictionary]) {
        # Through the enumerator: a key named Keys hides the property.
        $entries = @($Value.GetEnumerator())
        $names = [string[]] @($entries | ForEach-Object { $_.Key })
        $ignoresCase = -not $names -or ($Value.Contains($names[0].ToUpperInvariant()) -and $Value.Contains($names[0].ToLowerInvariant()))
        "$Path $type of $($entries.Count)$(if (-not $ignoresCase) { ', case-sensitive' })"
        [Array]::Sort($names, [StringComparer]::Ordinal)
        foreach ($name in $names) { Get-Tree $Value[$name] "$Path.$(Get-Escaped $name)" }
    }
    elseif ($Value -is [array]) {
        "$Path $type of $($Value.Count)"
        for ($i = 0; $i -lt $Value.Count; $i++) { Get-Tree $Value[$i] "$Path[$i]" }
    }
    elseif ($Value -is [datetime]) {
        $moment = if ($Value.Kind -eq 'Unspecified') { $Value } else { $Value.ToUniversalTime() }
        "$Path $type $($moment.ToString('yyyy-MM-ddTHH:mm:ss.fffffff', $invariant)) $($Value.Kind)"
    }
    elseif ($Value -is [string]) { "$Path $type $(Get-Escaped $Value)" }
    elseif ($Value -is [IFormattable]) { "$Path $type $($Value.ToString($(if ($Value -is [double]) { 'R' }), $invariant))" }
    elseif ($Value -is [System.Management.Automation.PSCustomObject]) {
        "$Path $type"
        foreach ($property in $Value.PSObject.Properties) { Get-Tree $property.Value "$Path.$(Get-Escaped $property.Name)" }
    }
    else { "$Path $type $(Get-Escaped "$Value")" }
}

# Text as printable ASCII; a long one as its length and hash.
function Get-Escaped([string] $Text) {
    if ($Text.Length -gt 2000) {
        $sha = [System.Security.Cryptography.SHA256]::Create()
        return "($($Text.Length) characters, SHA-256 $([BitConverter]::ToString($sha.ComputeHash([Text.Encoding]::Unicode.GetBytes($Text))).Replace('-', '').ToLowerInvariant()))"
    }
    [regex]::Replace($Text, '[^\x20-\x7E]', { param($match) '\u{0:x4}' -f [int] $match.Value[0] })
}

function Get-ErrorText($ErrorRecord) {
    $exception = $ErrorRecord.Exception
    $names = for ($type = $exception.GetType(); $type -and $type -ne [System.SystemException] -and $type -ne [System.Exception]; $type = $type.BaseType) { $type.FullName }
    "$(@($names) -join ' : ')"
    Get-Escaped $exception.Message
}

function Get-LineText($Record) {
    $text = ''
    foreach ($one in $Record) {
        $data = $one.MessageData
        if ($data -isnot [System.Management.Automation.HostInformationMessage]) { Get-Escaped "$data"; continue }
        $text += Get-Escaped $data.Message
        if ($null -ne $data.ForegroundColor) { $text += " ($($data.ForegroundColor))" }
        if (-not $data.NoNewLine) { $text; $text = '' }
    }
    if ($text) { "$text (no end of line)" }
}

function Get-FileText([string] $Root) {
    foreach ($item in (Get-ChildItem -LiteralPath $Root -Recurse -Force | Sort-Object FullName)) {
        $name = $item.FullName.Substring($Root.Length + 1).Replace('\', '/')
        if ($item.PSIsContainer) { "$name/" } else { "$name $($item.Length) $((Get-FileHash -LiteralPath $item.FullName -Algorithm SHA256).Hash.ToLowerInvariant())" }
    }
}

function New-Side([string] $Prefix, [string] $Import) {
    $runspace = [runspacefactory]::CreateRunspace()
    $runspace.Open()
    $shell = [powershell]::Create()
    $shell.Runspace = $runspace
    $null = $shell.AddScript($Import).Invoke()
    if ($shell.HadErrors) { throw $shell.Streams.Error[0] }
    $shell.Dispose()
    foreach ($pair in @{ getImage = "Get-${Prefix}DockerImage"; getManifest = "Get-${Prefix}DockerImageManifest"; getToken = "Get-${Prefix}DockerAuthToken" }.GetEnumerator()) {
        $runspace.SessionStateProxy.SetVariable($pair.Key, $pair.Value)
    }
    $runspace
}

$script:routes = @()
function Add-Route([string] $Path, [object[]] $Step) { $script:routes += $Path; Add-TestRoute -Path $Path -Step $Step }

function Invoke-Case($Case, $Runspace, [int] $Number, [string] $Side) {
    $repository = "side-by-side/case-$Number"
    $root = (New-Item -ItemType Directory -Path (Join-Path $Folder "$Side-$Number")).FullName
    $script:routes = @()
    $shell = [powershell]::Create()
    $shell.Runspace = $Runspace
    $failure = $null
    $output = New-Object 'System.Management.Automation.PSDataCollection[psobject]'
    try {
        $image = @(. $Case.Setup | Where-Object { $_.Digest -and $_.Index }) | Select-Object -First 1
        $values = @{ registry = $registry; repository = $repository; closed = $closed; image = $image; folder = $root; file = (Join-Path $root 'rootfs.tar.gz') }
        foreach ($pair in $values.GetEnumerator()) { $Runspace.SessionStateProxy.SetVariable($pair.Key, $pair.Value) }
        # Script blocks belong to the runspace that made them, so they are made again over there.
        $text = "[cultureinfo]::CurrentCulture = [cultureinfo]::InvariantCulture; Set-Location -LiteralPath `$folder; `$VerbosePreference = 'Continue'`n`$manifestOf = {$manifestOf}; `$imageOf = {$imageOf}; `$tokenOf = {$tokenOf}`n$($Case.Run)"
        $null = $shell.AddScript($text)
        try { $null = $shell.Invoke($null, $output) }
        catch { $failure = if ($_.Exception.InnerException.ErrorRecord) { $_.Exception.InnerException.ErrorRecord } else { $_ } }
    }
    finally { foreach ($route in $script:routes) { Remove-TestRoute $route } }
    $got = [ordered]@{
        output = @($i = 0; foreach ($value in $output) { Get-Tree $value "[$i]"; $i++ })
        error = @(if ($failure) { Get-ErrorText $failure })
        records = @($shell.Streams.Error | Where-Object { -not $failure -or $_.Exception -ne $failure.Exception } | ForEach-Object { "$($_.Exception.GetType().FullName) $(Get-Escaped $_.Exception.Message)" })
        lines = @(Get-LineText $shell.Streams.Information)
        verbose = @($shell.Streams.Verbose | ForEach-Object { Get-Escaped $_.Message })
        files = @(Get-FileText $root)
    }
    $shell.Dispose()
    $words = [ordered]@{ FOLDER = $root; PROCESS = [Environment]::CurrentDirectory; REGISTRY = $registry; NOWHERE = $closed; REPOSITORY = $repository }
    foreach ($aspect in @($got.Keys)) {
        $got[$aspect] = @(foreach ($line in $got[$aspect]) {
                foreach ($word in $words.Keys) { $line = $line.Replace($words[$word], $word) }
                $line -creplace '(?<=(FOLDER|PROCESS)\S*)\\', '/'
            })
    }
    $got
}

$sides = [ordered]@{}
if ($Original) {
    foreach ($fetch in 'Desktop', 'Core') {
        $sides["original $fetch"] = New-Side 'Original' ("Import-Module '{0}' -ArgumentList '{1}', {2} -Prefix Original" -f (Join-Path $PSScriptRoot 'OriginalModule.psm1').Replace("'", "''"), $Original.Replace("'", "''"), $fetch)
    }
}
if ($Module) {
    $sides['module'] = New-Side '' "Import-Module '$($Module.Replace("'", "''"))'"
    # Windows has no SSL_CERT_FILE to make the module trust the test registry.
    if (Test-Windows) { $sides['module'].SessionStateProxy.SetVariable('PSDefaultParameterValues', [System.Management.Automation.DefaultParameterDictionary] @{ 'Get-Docker*:CACertificatePath' = (Get-TestRegistry).Ca }) }
}

$results = [ordered]@{}
for ($number = 0; $number -lt $cases.Count; $number++) {
    $case = $cases[$number]
    if (-not @($Only | Where-Object { $case.Name -like $_ })) { continue }
    $fetch = if ($case.Fetch) { $case.Fetch } else { 'Desktop' }
    $results[$case.Name] = [ordered]@{}
    if ($Original) { $results[$case.Name].original = Invoke-Case $case $sides["original $fetch"] $number 'original' }
    if ($Module) { $results[$case.Name].module = Invoke-Case $case $sides['module'] $number 'module' }
}
foreach ($runspace in $sides.Values) { $runspace.Dispose() }
[IO.File]::WriteAllText($Result, (ConvertTo-Json -InputObject $results -Depth 10) + "`n", (New-Object System.Text.UTF8Encoding $false))
