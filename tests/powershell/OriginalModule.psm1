# The original script with the functions and classes that it expects from its module, written here from their description.
# $Fetch is which PowerShell's errors Invoke-FetchUrl gives: the original catches only those of Windows PowerShell, so its
# sentences for 401 and 404 come only with 'Desktop'.
param([Parameter(Mandatory = $true)] [string] $Script, [ValidateSet('Desktop', 'Core')] [string] $Fetch = 'Desktop')

class WslManagerException : System.SystemException {
    WslManagerException([string] $message) : base($message) {}
    WslManagerException([string] $message, [System.Exception] $inner) : base($message, $inner) {}
}
class WslImageException : WslManagerException {
    WslImageException([string] $message) : base($message) {}
    WslImageException([string] $message, [System.Exception] $inner) : base($message, $inner) {}
}
class WslImageDownloadException : WslImageException {
    WslImageDownloadException([string] $message) : base($message) {}
    WslImageDownloadException([string] $message, [System.Exception] $inner) : base($message, $inner) {}
}
class FailedResponse : System.Net.WebResponse {
    [System.Net.HttpStatusCode] $StatusCode
    FailedResponse([System.Net.HttpStatusCode] $status) { $this.StatusCode = $status }
}

function Write-Line([int] $Sign, [string] $Text, [string] $Color) {
    Write-Host "$([char]::ConvertFromUtf32($Sign)) " -NoNewline
    Write-Host $Text -ForegroundColor $Color
}
function Progress([string] $Text) { Write-Line 0x231B $Text DarkGray }
function Information([string] $Text) { Write-Line 0x1F440 $Text DarkYellow }
function Success([string] $Text) { Write-Line 0x1F389 $Text DarkGreen }

function Format-FileSize([long] $Bytes) {
    if ($Bytes -gt 1GB) { '{0:n1} GB' -f ($Bytes / 1GB) }
    elseif ($Bytes -gt 1MB) { '{0:n1} MB' -f ($Bytes / 1MB) }
    elseif ($Bytes -gt 1KB) { '{0:n1} KB' -f ($Bytes / 1KB) }
    else { "$Bytes B" }
}

function Get-UserAgent { 'Wsl-Manager/1.0 PowerShell/7.6' }

function Invoke-FetchUrl([string] $Uri, [System.Collections.IDictionary] $Headers) {
    $ProgressPreference = 'SilentlyContinue'
    $VerbosePreference = 'SilentlyContinue'
    try { $content = (Invoke-WebRequest -UseBasicParsing -Uri $Uri -Headers $Headers).Content }
    catch {
        $status = $_.Exception.Response.StatusCode
        if ($Fetch -eq 'Core' -or $_.Exception -is [System.Net.WebException]) { throw }
        if (-not $status) { throw [System.Net.WebException]::new($_.Exception.Message, $_.Exception) }
        throw [System.Net.WebException]::new("The remote server returned an error: ($([int] $status)) $status.", $_.Exception,
            [System.Net.WebExceptionStatus]::ProtocolError, [FailedResponse]::new($status))
    }
    if ($content -is [byte[]]) { [System.Text.Encoding]::UTF8.GetString($content) } else { $content }
}

function Convert-PSObjectToHashtable {
    param([Parameter(ValueFromPipeline = $true)] $InputObject)
    process { ConvertTo-HashtableValue $InputObject }
}

function ConvertTo-HashtableValue($Value) {
    if ($null -eq $Value) { return $null }
    if ($Value -is [array]) {
        $items = New-Object object[] $Value.Count
        for ($i = 0; $i -lt $Value.Count; $i++) { $items[$i] = ConvertTo-HashtableValue $Value[$i] }
        return , $items
    }
    if ($Value -is [System.Management.Automation.PSCustomObject]) {
        $table = @{}
        foreach ($property in $Value.PSObject.Properties) { $table[$property.Name] = ConvertTo-HashtableValue $property.Value }
        return $table
    }
    $Value
}

function Start-Download([string] $Url, [string] $File, [System.Collections.IDictionary] $Headers) {
    $request = [System.Net.WebRequest]::Create($Url)
    foreach ($key in $Headers.Keys) { $request.Headers[$key] = $Headers[$key] }
    $response = $request.GetResponse()
    try {
        Write-Host "Downloading $Url ($(Format-FileSize $response.ContentLength))..."
        $source = $response.GetResponseStream()
        $target = [System.IO.File]::OpenWrite($File)
        try {
            $buffer = New-Object byte[] 2048
            while (($count = $source.Read($buffer, 0, $buffer.Length)) -gt 0) { $target.Write($buffer, 0, $count) }
        }
        finally { $target.Dispose() }
    }
    finally { $response.Dispose() }
}

# The script's first line is its own path, which is no command.
. $Script 2>$null

Export-ModuleMember -Function Get-DockerAuthToken, Get-DockerImageManifest, Get-DockerImage
