using System.Management.Automation;
using WslImage.Native;

namespace WslImage;

/// <summary>Returns a token to pull from a repository with, or nothing where the registry asks for none.</summary>
[Cmdlet(VerbsCommon.Get, "DockerAuthToken", DefaultParameterSetName = RegistrySet)]
[OutputType(typeof(string))]
public sealed class GetDockerAuthTokenCommand : RegistryCmdlet
{
    /// <summary>The registry: a host with an optional port.</summary>
    [Parameter(Position = 0)]
    public string? Registry { get; set; }

    /// <summary>The repository, such as owner/name.</summary>
    [Parameter(Position = 1)]
    public string? Repository { get; set; }

    private protected override string Subject => $"{Registry}/{Repository}";

    private protected override void Execute()
    {
        using ClientHandle client = NewClient();
        var image = new ImageArguments(nameof(Repository), Repository ?? string.Empty)
        {
            Registry = Registry ?? string.Empty,
            Platform = Platform,
        };
        using OperationHandle operation = client.StartToken(image);
        Run(operation);
        using TokenHandle token = operation.TakeToken();
        if (token.Value is string value)
        {
            WriteObject(value);
        }
    }
}
