using System.Management.Automation;
using WslImage.Native;

namespace WslImage;

/// <summary>Returns the tags of an image, in the registry's order.</summary>
[Cmdlet(VerbsCommon.Get, "DockerImageTag", DefaultParameterSetName = RegistrySet)]
[OutputType(typeof(string))]
public sealed class GetDockerImageTagCommand : RegistryCmdlet
{
    /// <summary>The repository, such as owner/name, or a whole reference.</summary>
    [Parameter(Mandatory = true, Position = 0)]
    public string ImageName { get; set; } = string.Empty;

    /// <summary>The registry: a host with an optional port.</summary>
    [Parameter(Position = 1)]
    public string? Registry { get; set; } = DefaultRegistry;

    private protected override string Subject => ImageName;

    private protected override void Execute()
    {
        using ClientHandle client = NewClient();
        using OperationHandle operation = client.StartTags(NewImage(nameof(ImageName), ImageName, Registry));
        Run(operation);
        using TagsHandle tags = operation.TakeTags();
        foreach (string tag in tags.Tags)
        {
            WriteObject(tag);
        }
    }
}
