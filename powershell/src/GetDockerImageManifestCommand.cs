using System.Collections;
using System.Management.Automation;
using WslImage.Native;

namespace WslImage;

/// <summary>Returns the config of an image less history and rootfs, and type, size and digest of its layer.</summary>
[Cmdlet(VerbsCommon.Get, "DockerImageManifest")]
[OutputType(typeof(Hashtable))]
public sealed class GetDockerImageManifestCommand : RegistryCmdlet
{
    private ResolvedName? _name;

    /// <summary>A bearer token to use as it is.</summary>
    [Parameter(Position = 0)]
    public string? AuthToken { get; set; }

    /// <summary>The repository, such as owner/name, or a whole reference such as docker.io/library/alpine:3.20.</summary>
    [Parameter(Mandatory = true, Position = 1)]
    public string ImageName { get; set; } = string.Empty;

    /// <summary>The tag, or a digest such as sha256:…; latest where the name has none either.</summary>
    [Parameter(Position = 2)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(TagCompleter))]
    public string? Tag { get; set; }

    /// <summary>The registry: a host with an optional port.</summary>
    [Parameter(Position = 3)]
    public string? Registry { get; set; } = DefaultRegistry;

    private protected override string Subject => _name?.ToString() ?? ImageName;

    private protected override void Execute()
    {
        ImageArguments image = NewImage(nameof(ImageName), ImageName, Registry, Tag);
        image.AuthToken = string.IsNullOrEmpty(AuthToken) ? null : AuthToken;
        _name = ResolvedName.Of(image);
        // This command shows a name of one word as it was given.
        WriteRetrieving(_name, _name.Repository == "library/" + ImageName ? ImageName : _name.Repository);

        using ClientHandle client = NewClient();
        using ManifestHandle manifest = GetManifest(client, image);
        foreach (string key in manifest.DroppedKeys)
        {
            WriteVerbose(
                $"Left out of the image config: {key}, which is empty or differs only by case from a key before it.");
        }
        WriteObject(ImageMetadata.Read(
            manifest.MetadataJson, manifest.LayerMediaType, manifest.LayerSize, manifest.LayerDigest));
    }
}
