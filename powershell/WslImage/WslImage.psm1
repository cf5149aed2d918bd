# Picks the build of this PowerShell's .NET. Windows PowerShell 5.1 reads this file too: ASCII and its syntax only.

if ($PSVersionTable.PSEdition -ne 'Core') {
    $framework = 'net472'
}
elseif ([System.Environment]::Version.Major -ge 8) {
    $framework = 'net8.0'
}
else {
    throw "WslImage needs Windows PowerShell 5.1, or PowerShell 7.4 or later; this is $($PSVersionTable.PSVersion)."
}

$assembly = [System.IO.Path]::Combine($PSScriptRoot, 'bin', $framework, 'WslImage.dll')
if (-not [System.IO.File]::Exists($assembly)) {
    throw "WslImage is not complete: $assembly is missing. Install the module again."
}

Microsoft.PowerShell.Core\Import-Module -Name $assembly -ErrorAction Stop
