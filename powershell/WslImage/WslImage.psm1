# Picks the build of this PowerShell's .NET. Windows PowerShell 5.1 reads this file too: ASCII and its syntax only. It calls no
# method, so that it also runs where the language is constrained and binary modules are allowed.

if ($PSVersionTable.PSEdition -ne 'Core') {
    $framework = 'net472'
}
elseif (($PSVersionTable.PSVersion.Major -gt 7) -or ($PSVersionTable.PSVersion.Major -eq 7 -and $PSVersionTable.PSVersion.Minor -ge 4)) {
    $framework = 'net8.0'
}
else {
    throw "WslImage needs Windows PowerShell 5.1, or PowerShell 7.4 or later; this is $($PSVersionTable.PSVersion)."
}

$assembly = "$PSScriptRoot/bin/$framework/WslImage.dll"

# A process keeps an assembly until it ends, and takes no other version of it.
$loaded = 'WslImage.NativeCmdlet' -as [type]
if ($loaded) {
    $version = (Microsoft.PowerShell.Management\Get-Item -LiteralPath $assembly).VersionInfo.FileVersion
    if ($loaded.Assembly.FullName -notlike "*, Version=$version,*") {
        throw "This session uses another version of WslImage, from $($loaded.Assembly.Location): start a new session to use version $version."
    }
}

try {
    Microsoft.PowerShell.Core\Import-Module -Name $assembly -ErrorAction Stop
}
catch [System.IO.FileNotFoundException] {
    throw "WslImage is not complete: $assembly is missing. Install the module again."
}
