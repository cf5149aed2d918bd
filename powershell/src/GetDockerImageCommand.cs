using System.Management.Automation;
using WslImage.Native;

namespace WslImage;

/// <summary>Fetches the layer of a one-layer image into a file, verified, and returns its digest's hex.</summary>
[Cmdlet(VerbsCommon.Get, "DockerImage", SupportsShouldProcess = true)]
[OutputType(typeof(string))]
public sealed class GetDockerImageCommand : RegistryCmdlet
{
    private ResolvedName? _name;

    /// <summary>The repository, such as owner/name, or a whole reference such as docker.io/library/alpine:3.20.</summary>
    [Parameter(Mandatory = true, Position = 0)]
    public string ImageName { get; set; } = string.Empty;

    /// <summary>The tag, or a digest such as sha256:…; latest where the name has none either.</summary>
    [Parameter(Position = 1)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(TagCompleter))]
    public string? Tag { get; set; }

    /// <summary>The file to write.</summary>
    [Parameter(Mandatory = true, Position = 2)]
    public string DestinationFile { get; set; } = string.Empty;

    /// <summary>The registry: a host with an optional port.</summary>
    [Parameter(Position = 3)]
    public string? Registry { get; set; } = DefaultRegistry;

    private protected override string Subject => _name?.ToString() ?? ImageName;

    private protected override void Execute()
    {
        ImageArguments image = NewImage(nameof(ImageName), ImageName, Registry, Tag);
        ResolvedName name = _name = ResolvedName.Of(image);
        WriteWorking($"Downloading Docker image layer from {name}...");
        string path = ResolveFile(DestinationFile, nameof(DestinationFile));

        using ClientHandle client = NewClient();
        using ManifestHandle manifest =
            GetManifest(client, image, () => WriteRetrieving(name, name.Repository));
        string layerSize = ByteSize.Format(manifest.LayerSize);
        if (!ShouldProcess(path, $"Download layer {manifest.LayerDigest} ({layerSize}) of {manifest.Reference}"))
        {
            return;
        }
        WriteFact($"Root filesystem size: {layerSize}. Digest {manifest.LayerDigest}. Downloading...");

        using FileHandle file = Pull(client, manifest, path);
        WriteSuccess(
            $"Successfully downloaded Docker image layer to {path}. File size: {ByteSize.Format(file.Size)}");
        string digest = file.Digest;
        WriteObject(digest.Substring(digest.IndexOf(':') + 1));
    }

    private FileHandle Pull(ClientHandle client, ManifestHandle manifest, string path)
    {
        var bar = new DownloadProgress($"Downloading {manifest.Reference}");
        using OperationHandle operation = client.StartPull(manifest, path, nameof(DestinationFile));
        try
        {
            Run(operation, progress => Show(bar.Next(progress)));
        }
        finally
        {
            if (!Stopping)
            {
                Show(bar.Last());
            }
        }
        return operation.TakeFile();
    }

    private void Show(ProgressRecord? record)
    {
        if (record is not null)
        {
            WriteProgress(record);
        }
    }
}
