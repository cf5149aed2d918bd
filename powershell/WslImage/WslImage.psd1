@{
    RootModule             = 'WslImage.psm1'
    ModuleVersion          = '0.1.0'
    GUID                   = '9bc5cf96-f4c8-41ad-b889-9a9091618372'
    Author                 = 'The WslImage authors'
    CompanyName            = 'WslImage'
    Copyright              = '(c) The WslImage authors. Licensed under the Apache License, Version 2.0.'
    Description            = 'Gets the root filesystem of a container image from any registry as one verified archive that wsl --import takes, without Docker.'
    CompatiblePSEditions   = @('Desktop', 'Core')
    PowerShellVersion      = '5.1'
    DotNetFrameworkVersion = '4.7.2'
    FunctionsToExport      = @()
    CmdletsToExport        = @('Clear-WslImageCache', 'Get-DockerAuthToken', 'Get-DockerImage', 'Get-DockerImageManifest', 'Get-DockerImageTag', 'Get-WslImageCache')
    VariablesToExport      = @()
    AliasesToExport        = @()
    # Filled in when the module is put together, as the release notes are.
    FileList               = @()
    PrivateData            = @{
        PSData = @{
            Tags         = @('WSL', 'Docker', 'OCI', 'container', 'image', 'registry', 'rootfs', 'PSEdition_Desktop', 'PSEdition_Core', 'Windows', 'Linux', 'MacOS')
            LicenseUri   = 'https://github.com/wslimage/wslimage/blob/main/LICENSE'
            ProjectUri   = 'https://github.com/wslimage/wslimage'
            ReleaseNotes = ''
        }
    }
}
