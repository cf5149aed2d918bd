using System.Collections;
using System.Management.Automation;
using WslImage.Native;

namespace WslImage;

/// <summary>Returns the config of an image less history and rootfs, and type, size and digest of its layer.</summary>
[Cmdlet(VerbsCommon.Get, "DockerImageManifest")]
[OutputType(typeof(Hashtable))]
public sealed class GetDockerImageManifestCommand : RegistryCmdlet
{
    /// <summary>A bearer token to use as it is.</summary>
    [Parameter(Position = 0)]
    public string? AuthToken { get; set; }

    /// <summary>The repository, such as owner/name.</summary>
    [Parameter(Mandatory = true, Position = 1)]
    public string ImageName { get; set; } = string.Empty;

    /// <summary>The tag, or a digest such as sha256:….</summary>
    [Parameter(Mandatory = true, Position = 2)]
    public string Tag { get; set; } = string.Empty;

    /// <summary>The registry: a host with an optional port.</summary>
    [Parameter(Position = 3)]
    public string? Registry { get; set; } = "ghcr.io";

    private protected override string Subject => $"{Registry}/{ImageName}:{Tag}";

    private protected override void Execute()
    {
        string registry = Registry ?? string.Empty;
        WriteRetrieving(registry, ImageName, Tag);

        using ClientHandle client = NewClient();
        var image = new ImageArguments(registry, nameof(ImageName), RepositoryName(registry, ImageName))
        {
            Tag = Tag,
            Platform = Platform,
            AuthToken = string.IsNullOrEmpty(AuthToken) ? null : AuthToken,
        };
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
