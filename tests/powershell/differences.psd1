# Where the module is not as the original, and why: the README's table, and what Original.Tests.ps1 lets pass.
# Input, Original, Module and Reason are for people. Where says in which aspect of which cases it shows: either Pattern, a
# regular expression that is replaced in the original's text by Replacement, or Original and Module, which match both whole texts.
@{
    Differences = @(
        @{
            Input = 'Get-DockerImage fails'
            Original = 'Writes a second error, "Failed to download Docker image layer: ...", before the exception'
            Module = 'One error, the typed exception'
            Reason = 'Under -ErrorAction Stop the second one hides the exception that callers catch'
            Where = @(@{ Aspect = 'records'; Case = '*'; Pattern = '^Microsoft\.PowerShell\.Commands\.WriteErrorException Failed to download Docker image layer: \.\.\.$'; Replacement = '' })
        }
        @{
            Input = 'The lines for people'
            Original = 'Also "Downloading URL (SIZE)...", or a bar drawn with SetCursorPosition'
            Module = 'Progress with Write-Progress'
            Reason = 'The line is not the commands'' own, and the bar costs more than the download'
            Where = @(@{ Aspect = 'lines'; Case = '*'; Pattern = '(?m)\n?^Downloading https://.*$'; Replacement = '' })
        }
        @{
            Input = '404 for a manifest or a config'
            Original = 'WslImageDownloadException'
            Module = 'WslImageSourceNotFoundException, which is a WslImageDownloadException'
            Reason = 'The name that newer versions of the original throw; what catches the old one catches it too'
            Where = @(
                @{ Aspect = 'error'; Case = '*'; Pattern = '^WslImageDownloadException(?= : WslImageException : WslManagerException\nImage not found: )'; Replacement = 'WslImageSourceNotFoundException : WslImageDownloadException' }
                # In Get-DockerImageManifest the original's sentence has a variable that is not set there.
                @{ Aspect = 'error'; Case = '*'; Pattern = '(?m)^Image not found: :'; Replacement = 'Image not found: REGISTRY/REPOSITORY:' }
            )
        }
        @{
            Input = '401 and 404 in PowerShell 7'
            Original = '.NET''s HttpResponseException, because only exceptions of Windows PowerShell are caught'
            Module = 'The typed exceptions, in both PowerShells'
            Reason = 'A fault of the original'
            Where = @(
                @{ Aspect = 'error'; Case = 'missing tag, PowerShell 7''s exceptions'; Original = 'Microsoft\.PowerShell\.Commands\.HttpResponseException.*'; Module = 'WslImageSourceNotFoundException : .*\nImage not found: REGISTRY/REPOSITORY:missing\. .*' }
                @{ Aspect = 'error'; Case = 'manifest refused, PowerShell 7''s exceptions'; Original = 'Microsoft\.PowerShell\.Commands\.HttpResponseException.*'; Module = 'WslImageDownloadException : .*\nAccess denied to registry\. The image may not exist or authentication failed\. .*' }
            )
        }
        @{
            Input = 'A config whose names differ only by case, or with an empty name'
            Original = 'An error of ConvertFrom-Json, and a Hashtable with the layer only'
            Module = 'The whole config; the first of such names stays, one that is empty is left out, and a verbose line says so'
            Reason = 'Such labels are legal'
            Where = @(
                @{ Aspect = 'output'; Case = 'names that differ only by case'; Original = '\[0\] System\.Collections\.Hashtable of 3\n.*'; Module = '\[0\] System\.Collections\.Hashtable of 8\n.*\.Labels System\.Collections\.Hashtable of 1\n[^\n]*\.Labels\.Version System\.String first\n.*' }
                @{ Aspect = 'output'; Case = 'an empty name'; Original = '\[0\] System\.Collections\.Hashtable of 3\n.*'; Module = '\[0\] System\.Collections\.Hashtable of 8\n.*\.Labels System\.Collections\.Hashtable of 0\n.*' }
                @{ Aspect = 'records'; Case = 'names that differ only by case', 'an empty name'; Original = 'System\.InvalidOperationException .*'; Module = '' }
            )
        }
        @{
            Input = 'A manifest without an index'
            Original = 'WslImageDownloadException: No manifests found in the image manifest'
            Module = 'Works; its config says the platform'
            Reason = 'Single-platform images are published so'
            Where = @(
                @{ Aspect = 'output'; Case = 'a manifest without an index'; Original = ''; Module = '\[0\] System\.Collections\.Hashtable of 8\n.*' }
                @{ Aspect = 'error'; Case = 'a manifest without an index'; Original = 'WslImageDownloadException .*\nNo manifests found in the image manifest'; Module = '' }
                @{ Aspect = 'verbose'; Case = 'a manifest without an index'; Original = '.*/manifests/latest\.\.\.'; Module = '.*/manifests/latest\.\.\.\nGetting docker image config .*' }
            )
        }
        @{
            Input = 'An index with linux/amd64 and windows/amd64'
            Original = 'Asks for both digests in one URL, and fails'
            Module = 'Takes linux/amd64, or what -Platform asks for'
            Reason = 'A fault of the original'
            Where = @(
                @{ Aspect = 'output'; Case = 'a Windows image beside it'; Original = ''; Module = '\[0\] System\.Collections\.Hashtable of 5\n.*\.os System\.String linux\n.*' }
                @{ Aspect = 'error'; Case = 'a Windows image beside it'; Original = '.*\nImage not found: REGISTRY/REPOSITORY:latest'; Module = '' }
                @{ Aspect = 'verbose'; Case = 'a Windows image beside it'; Original = '.* amd64 manifest \S+ \S+'; Module = '.* amd64 manifest \S+\nGetting docker image config .*' }
            )
        }
        @{
            Input = 'An image of several layers'
            Original = 'WslImageDownloadException: The image should have exactly one layer'
            Module = 'Get-DockerImage: one archive of them all, and the SHA-256 of that file. Get-DockerImageManifest: digest, size and mediaType of the whole, and each of them in layers'
            Reason = 'Most images have several'
            Where = @(
                @{ Aspect = 'error'; Case = 'several layers', 'image: several layers'; Original = '.*\nThe image should have exactly one layer'; Module = '' }
                @{ Aspect = 'output'; Case = 'several layers'; Original = ''; Module = '\[0\] System\.Collections\.Hashtable of 8\n.*\.layers System\.Object\[\] of 2\n.*\.size System\.Int64 6' }
                @{ Aspect = 'output'; Case = 'image: several layers'; Original = ''; Module = '\[0\] System\.String \w{64}' }
                @{ Aspect = 'lines'; Case = 'image: several layers'; Original = '[^\n]+\n[^\n]+'; Module = '[^\n]+\n[^\n]+\n[^\n]*, 3 layers\.[^\n]+\n[^\n]+' }
                @{ Aspect = 'verbose'; Case = 'several layers', 'image: several layers'; Original = '.*/manifests/sha256:\w+\.\.\.'; Module = '.*/manifests/sha256:\w+\.\.\.\nGetting docker image config .*' }
                @{ Aspect = 'files'; Case = 'image: several layers'; Original = ''; Module = 'rootfs\.tar\.gz \d+ \w+' }
            )
        }
        @{
            Input = 'A layer that wsl --import would not take as it is, such as one with a whiteout, and one that is not compressed with gzip'
            Original = 'Writes it as it is'
            Module = 'An archive that wsl --import takes, compressed with gzip, and the SHA-256 of that file; -Format Original writes the layer as it is'
            Reason = 'It could not be imported, or would be wrong afterwards; WSL 1 takes no zstd'
            Where = @(
                @{ Aspect = 'output'; Case = 'image: a layer with *', 'image: a layer that *', 'an image of no bytes'; Original = '\[0\] System\.String \w{64}'; Module = '\[0\] System\.String \w{64}' }
                @{ Aspect = 'lines'; Case = 'image: a layer with *', 'image: a layer that *', 'an image of no bytes'; Original = '(.*)File size: [\d.]+ K?B (.*)'; Module = '(.*)File size: [\d.]+ K?B (.*)' }
                @{ Aspect = 'files'; Case = 'image: a layer with *', 'image: a layer that *', 'an image of no bytes'; Original = 'rootfs\.tar\.gz \d+ \w+'; Module = 'rootfs\.tar\.gz \d+ \w+' }
            )
        }
        @{
            Input = 'A layer whose content is not what the config says (its DiffID)'
            Original = 'Writes it'
            Module = 'WslImageDownloadException: Failed to read layer ...: its content does not match its DiffID; no file'
            Reason = 'The image is wrong where it was made; docker refuses it too'
            Where = @(
                @{ Aspect = 'output'; Case = 'image: a layer of another DiffID'; Original = '\[0\] System\.String \w+'; Module = '' }
                @{ Aspect = 'error'; Case = 'image: a layer of another DiffID'; Original = ''; Module = 'WslImageDownloadException : .*\nFailed to read layer 1 of REGISTRY/REPOSITORY:latest, .*: its content does not match its DiffID\. .*' }
                @{ Aspect = 'lines'; Case = 'image: a layer of another DiffID'; Pattern = '\n\\ud83c\\udf89 .*$'; Replacement = '' }
                @{ Aspect = 'files'; Case = 'image: a layer of another DiffID'; Original = 'rootfs\.tar\.gz .*'; Module = '' }
            )
        }
        @{
            Input = 'A layer of a digest, or of a size, that is not what the manifest says'
            Original = 'Writes it, and returns the digest that it should have'
            Module = 'WslImageDownloadException ("Downloaded file hash does not match expected hash. ..." for a digest); no file'
            Reason = 'The original does not check what it has downloaded'
            Where = @(
                @{ Aspect = 'output'; Case = 'another layer than promised', 'an image of a size with thousands'; Original = '\[0\] System\.String \w+'; Module = '' }
                @{ Aspect = 'error'; Case = 'another layer than promised'; Original = ''; Module = 'WslImageDownloadException : .*\nDownloaded file hash does not match expected hash\. Expected: f8e7\w+, Actual: f0fc\w+\b.*' }
                @{ Aspect = 'error'; Case = 'an image of a size with thousands'; Original = ''; Module = 'WslImageDownloadException : .*\nFailed to write destination file: FOLDER/rootfs\.tar\.gz\. It needs \d+ bytes more, and the disk has \d+\..*' }
                @{ Aspect = 'lines'; Case = 'another layer than promised', 'an image of a size with thousands'; Pattern = '\n\\ud83c\\udf89 .*$'; Replacement = '' }
                @{ Aspect = 'files'; Case = 'another layer than promised', 'an image of a size with thousands'; Original = 'rootfs\.tar\.gz .*'; Module = '' }
            )
        }
        @{
            Input = 'The layer cannot be fetched (401, 403, 404), or its file not written'
            Original = '.NET''s exception as PowerShell wraps it'
            Module = 'WslImageDownloadException: Failed to download Docker image layer: ..., or Failed to create destination file: ...; no file'
            Reason = 'A caller that catches WslImageDownloadException is told of all failures, and finds no half file'
            Where = @(
                @{ Aspect = 'error'; Case = 'layer missing', 'layer refused', 'layer forbidden'; Original = 'System\.Management\.Automation\.MethodInvocationException .*'; Module = 'WslImageDownloadException : .*\nFailed to download Docker image layer: \.\.\.' }
                @{ Aspect = 'error'; Case = 'a folder in place of the file'; Original = 'System\.Management\.Automation\.MethodInvocationException .*'; Module = 'WslImageDownloadException : .*\nFailed to create destination file: FOLDER/rootfs\.tar\.gz\b.*' }
            )
        }
        @{
            Input = 'The connection is cut in the middle of the layer'
            Original = '.NET''s exception as PowerShell wraps it; what had come stays under the file''s name'
            Module = 'Goes on where it was cut, and returns the digest'
            Reason = 'Lines are cut, and a half file must not be taken for a whole one'
            Where = @(
                @{ Aspect = 'output'; Case = 'layer cut'; Original = ''; Module = '\[0\] System\.String f8e7\w+' }
                @{ Aspect = 'error'; Case = 'layer cut'; Original = 'System\.Management\.Automation\.MethodInvocationException .*'; Module = '' }
                @{ Aspect = 'lines'; Case = 'layer cut'; Original = '.*'; Module = '.*\n\\ud83c\\udf89 .*' }
                @{ Aspect = 'files'; Case = 'layer cut'; Original = 'rootfs\.tar\.gz 5 .*'; Module = 'rootfs\.tar\.gz 17 f8e7\w+' }
            )
        }
        @{
            Input = 'DestinationFile is there already and is longer'
            Original = 'Its tail stays behind the layer'
            Module = 'Is replaced wholly'
            Reason = 'A fault of the original'
            Where = @(
                @{ Aspect = 'lines'; Case = 'over a longer file'; Pattern = 'File size: 300 B'; Replacement = 'File size: 17 B' }
                @{ Aspect = 'files'; Case = 'over a longer file'; Original = 'rootfs\.tar\.gz 300 .*'; Module = 'rootfs\.tar\.gz 17 f8e7\w+' }
            )
        }
        @{
            Input = 'A relative DestinationFile'
            Original = 'Relative to the process''s folder'
            Module = 'Relative to PowerShell''s location'
            Reason = 'That is what a relative path means to PowerShell''s users'
            Where = @(
                @{ Aspect = 'lines'; Case = 'a relative file'; Pattern = 'PROCESS/relative\.tar\.gz'; Replacement = 'FOLDER/relative.tar.gz' }
                @{ Aspect = 'files'; Case = 'a relative file'; Original = ''; Module = 'relative\.tar\.gz 17 .*' }
            )
        }
        @{
            Input = 'A registry that asks for no token'
            Original = 'Fails: it asks for one all the same, at https://REGISTRY/token'
            Module = 'Works; Get-DockerAuthToken returns nothing'
            Reason = 'The registry says whether and where to ask'
            Where = @(
                @{ Aspect = 'error'; Case = 'a registry that asks for no token', 'an image where no token is asked for'; Original = '.*\nFailed to get authentication token: \.\.\.'; Module = '' }
                @{ Aspect = 'output'; Case = 'an image where no token is asked for'; Original = ''; Module = '\[0\] System\.String f8e7\w+' }
                @{ Aspect = 'lines'; Case = 'an image where no token is asked for'; Original = '[^\n]+'; Module = '[^\n]+\n[^\n]+\n[^\n]+\n[^\n]+' }
                @{ Aspect = 'verbose'; Case = 'an image where no token is asked for'; Original = '[^\n]+'; Module = '[^\n]+\n[^\n]+\n[^\n]+\n[^\n]+' }
                @{ Aspect = 'files'; Case = 'an image where no token is asked for'; Original = ''; Module = 'rootfs\.tar\.gz 17 f8e7\w+' }
            )
        }
        @{
            Input = 'A token service that names the token access_token'
            Original = 'Finds no token'
            Module = 'Takes it'
            Reason = 'OAuth 2.0 names it so, and the distribution specification allows both'
            Where = @(
                @{ Aspect = 'output'; Case = 'access_token only'; Original = '\[0\] System\.String \[\]'; Module = '\[0\] System\.String \[a token\]' }
                @{ Aspect = 'output'; Case = 'an image where the token is access_token'; Original = ''; Module = '\[0\] System\.String f8e7\w+' }
                @{ Aspect = 'error'; Case = 'an image where the token is access_token'; Original = '.*\nFailed to retrieve authentication token for registry REGISTRY and repository REPOSITORY'; Module = '' }
                @{ Aspect = 'lines'; Case = 'an image where the token is access_token'; Original = '[^\n]+'; Module = '[^\n]+\n[^\n]+\n[^\n]+\n[^\n]+' }
                @{ Aspect = 'verbose'; Case = 'an image where the token is access_token'; Original = '[^\n]+'; Module = '[^\n]+\n[^\n]+\n[^\n]+\n[^\n]+' }
                @{ Aspect = 'files'; Case = 'an image where the token is access_token'; Original = ''; Module = 'rootfs\.tar\.gz 17 f8e7\w+' }
            )
        }
        @{
            Input = 'An index or a config that is no JSON object, or an entry for a layer without a media type'
            Original = 'An error of ConvertFrom-Json, and goes on with what is left'
            Module = 'WslImageDownloadException: Failed to get manifest: ...'
            Reason = 'Nothing that follows could be right'
            Where = @(
                @{ Aspect = 'output'; Case = 'a config that is*', 'a layer without media type'; Original = '\[0\] System\.Collections\.Hashtable of .*'; Module = '' }
                @{ Aspect = 'error'; Case = 'an index that is no JSON', 'a config that is*', 'a layer without media type'; Original = '|.*\nNo manifests found in the image manifest'; Module = 'WslImageDownloadException : .*\nFailed to get manifest: \.\.\.' }
                @{ Aspect = 'records'; Case = 'an index that is no JSON', 'a config that is*'; Original = '.+'; Module = '' }
                @{ Aspect = 'verbose'; Case = 'a layer without media type'; Original = '.*/manifests/sha256:\w+\.\.\.\nGetting docker image config \S+'; Module = '.*/manifests/sha256:\w+\.\.\.' }
            )
        }
        @{
            Input = 'A token service that answers without a token'
            Original = 'Get-DockerAuthToken returns null; only Get-DockerImage fails'
            Module = 'Both fail: Failed to retrieve authentication token for registry ... and repository ...'
            Reason = 'Nothing stands for a registry that asks for no token'
            Where = @(
                @{ Aspect = 'output'; Case = 'a token answer without one'; Original = '\[0\] null'; Module = '' }
                @{ Aspect = 'error'; Case = 'a token answer without one'; Original = ''; Module = 'WslImageDownloadException : .*\nFailed to retrieve authentication token for registry REGISTRY and repository REPOSITORY\..*' }
            )
        }
        @{
            Input = 'An image name, a tag or a registry that is not well formed, such as a name in capitals'
            Original = 'Asks for it: Image not found, or what .NET says of the address'
            Module = 'WslImageDownloadException: Invalid image reference ...; nothing is asked'
            Reason = 'There is none of such a name anywhere, and the message says what is wrong with it'
            Where = @(
                @{ Aspect = 'error'; Case = 'an image name in capitals', 'a tag that is none'; Original = '.*Image not found: .*'; Module = 'WslImageDownloadException : .*\nInvalid image reference ".*' }
                @{ Aspect = 'error'; Case = 'an image of a registry that is no host'; Original = '.*\nFailed to get authentication token: \.\.\.'; Module = 'WslImageDownloadException : .*\nInvalid image reference "no host": .*' }
                @{ Aspect = 'verbose'; Case = 'an image name in capitals', 'a tag that is none'; Original = '.*Getting docker image manifest .*'; Module = '' }
                @{ Aspect = 'verbose'; Case = 'an image of a registry that is no host', 'no registry at all'; Original = 'Getting docker authentication token for registry .*'; Module = '' }
                @{ Aspect = 'lines'; Case = 'a tag that is none'; Pattern = '\n\\u231b Retrieving .*$'; Replacement = '' }
            )
        }
        @{
            Input = '-Tag is empty'
            Original = 'Refused: "Cannot bind argument to parameter ''Tag'' because it is an empty string"'
            Module = 'Refused: "Cannot validate argument on parameter ''Tag''"'
            Reason = 'The parameter is not mandatory; an empty variable must not become latest'
            Where = @(@{ Aspect = 'records'; Case = 'an empty tag'; Original = '(\S+) Cannot bind argument to parameter ''Tag'' because it is an empty string\.'; Module = '(\S+) Cannot validate argument on parameter ''Tag''\. .*' })
        }
    )
}
