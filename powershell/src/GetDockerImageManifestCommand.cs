using System.Collections;
using System.Management.Automation;
using WslImage.Native;

namespace WslImage;

/// <summary>Returns the config of an image less history and rootfs, and what its layers are.</summary>
[Cmdlet(VerbsCommon.Get, "DockerImageManifest", DefaultParameterSetName = RegistrySet)]
[OutputType(typeof(Hashtable))]
public sealed class GetDockerImageManifestCommand : RegistryCmdlet
{
    private string? _subject;

    /// <summary>A bearer token to use as it is.</summary>
    [Parameter(Position = 0, ParameterSetName = RegistrySet)]
    public string? AuthToken { get; set; }

    /// <summary>The repository, such as owner/name, or a whole reference such as docker.io/library/alpine:3.20.</summary>
    [Parameter(Mandatory = true, Position = 1, ParameterSetName = RegistrySet)]
    public string ImageName { get; set; } = string.Empty;

    /// <summary>An OCI image layout, as a folder or an archive, or what docker save or podman save has written.</summary>
    [Parameter(Mandatory = true, ParameterSetName = PathSet)]
    [ValidateNotNullOrEmpty]
    public string Path { get; set; } = string.Empty;

    /// <summary>The tag, or a digest such as sha256:…; latest where the name has none either.</summary>
    [Parameter(Position = 2)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(TagCompleter))]
    public string? Tag { get; set; }

    /// <summary>The registry: a host with an optional port.</summary>
    [Parameter(Position = 3, ParameterSetName = RegistrySet)]
    public string? Registry { get; set; } = DefaultRegistry;

    private protected override string Subject => _subject ?? ImageName;

    private protected override void Execute()
    {
        using ManifestHandle manifest = ParameterSetName == PathSet ? OfPath() : OfRegistry();
        foreach (string key in manifest.DroppedKeys)
        {
            WriteVerbose(
                $"Left out of the image config: {key}, which is empty or differs only by case from a key before it.");
        }
        WriteObject(ImageMetadata.Read(manifest));
    }

    private ManifestHandle OfRegistry()
    {
        ImageArguments image = NewImage(nameof(ImageName), ImageName, Registry, Tag);
        image.AuthToken = string.IsNullOrEmpty(AuthToken) ? null : AuthToken;
        var name = ResolvedName.Of(image);
        _subject = name.ToString();
        // This command shows a name of one word as it was given.
        WriteRetrieving(name, name.Repository == "library/" + ImageName ? ImageName : name.Repository);

        using ClientHandle client = NewClient();
        return GetManifest(client, image);
    }

    private ManifestHandle OfPath()
    {
        string source = ResolveFile(Path, nameof(Path));
        _subject = source;
        WriteWorking($"Reading docker image manifest from {source}...");
        return GetLocalManifest(source, Tag);
    }
}
