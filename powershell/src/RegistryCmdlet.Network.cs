using System;
using System.Collections;
using System.Management.Automation;
using System.Runtime.InteropServices;
using System.Text;
using WslImage.Native;

namespace WslImage;

/// <content>How registries are reached: the parameters, named as Invoke-WebRequest names them, and what becomes of them.</content>
public abstract partial class RegistryCmdlet
{
    /// <summary>The login at the registry or its token service. Without it the registry is asked as anybody.</summary>
    [Parameter(ParameterSetName = RegistrySet)]
    [Credential]
    public PSCredential? Credential { get; set; }

    /// <summary>A file of certificates (PEM) to trust beside those of the operating system.</summary>
    [Parameter(ParameterSetName = RegistrySet)]
    public string? CACertificatePath { get; set; }

    /// <summary>Takes any certificate. Whoever stands between can then read and change everything.</summary>
    [Parameter(ParameterSetName = RegistrySet)]
    public SwitchParameter SkipCertificateCheck { get; set; }

    /// <summary>Talks to the registry by http, which anybody on the way can read and change.</summary>
    [Parameter(ParameterSetName = RegistrySet)]
    public SwitchParameter PlainHttp { get; set; }

    /// <summary>The longest time to connect, in seconds; 0 for no limit, 30 when not given.</summary>
    [Parameter(ParameterSetName = RegistrySet)]
    [ValidateRange(0, int.MaxValue)]
    public int ConnectionTimeoutSeconds { get; set; }

    /// <summary>The longest time without a byte, in seconds; 0 for no limit, 30 when not given.</summary>
    [Parameter(ParameterSetName = RegistrySet)]
    [ValidateRange(0, int.MaxValue)]
    public int OperationTimeoutSeconds { get; set; }

    /// <summary>How often what failed is tried again without progress; 5 when not given.</summary>
    [Parameter(ParameterSetName = RegistrySet)]
    [ValidateRange(0, int.MaxValue)]
    public int MaximumRetryCount { get; set; }

    /// <summary>The most that is waited between tries in all, in seconds; 120 when not given.</summary>
    [Parameter(ParameterSetName = RegistrySet)]
    [ValidateRange(1, int.MaxValue)]
    public int MaximumWaitSeconds { get; set; }

    /// <summary>The most connections that fetch one layer; 6 when not given.</summary>
    [Parameter(ParameterSetName = RegistrySet)]
    [ValidateRange(1, int.MaxValue)]
    public int MaximumConnectionCount { get; set; }

    /// <summary>A proxy for every address, instead of what the machine is set up with.</summary>
    [Parameter(ParameterSetName = RegistrySet)]
    public Uri? Proxy { get; set; }

    /// <summary>The login at the proxy of <see cref="Proxy"/>.</summary>
    [Parameter(ParameterSetName = RegistrySet)]
    [Credential]
    public PSCredential? ProxyCredential { get; set; }

    /// <summary>Signs in at the proxy of <see cref="Proxy"/> as the user of this Windows session.</summary>
    [Parameter(ParameterSetName = RegistrySet)]
    public SwitchParameter ProxyUseDefaultCredentials { get; set; }

    /// <summary>Uses no proxy, whatever the machine is set up with.</summary>
    [Parameter(ParameterSetName = RegistrySet)]
    public SwitchParameter NoProxy { get; set; }

    /// <summary>Where to look before the registry: hosts with an optional port and path.</summary>
    [Parameter(ParameterSetName = RegistrySet)]
    [ValidateNotNullOrEmpty]
    public string[]? Mirror { get; set; }

    /// <summary>A folder in which layers are kept and looked for.</summary>
    [Parameter(ParameterSetName = RegistrySet)]
    [ValidateNotNullOrEmpty]
    public string? CachePath { get; set; }

    private protected ClientHandle NewClient()
    {
        RefuseContradictions();
        return ClientHandle.New(new ClientArguments
        {
            Credential = LoginOrNull(Credential),
            CACertificatePath =
                CACertificatePath is null ? null : ResolveFile(CACertificatePath, nameof(CACertificatePath)),
            UserAgent = UserAgent(),
            SkipCertificateCheck = SkipCertificateCheck,
            PlainHttp = PlainHttp,
            Environment = ProcessEnvironment.Variables(),
            ConnectTimeoutMs = Milliseconds(ConnectionTimeoutSeconds, nameof(ConnectionTimeoutSeconds)),
            StallTimeoutMs = Milliseconds(OperationTimeoutSeconds, nameof(OperationTimeoutSeconds)),
            MaximumRetries = (uint)MaximumRetryCount,
            NoRetry = IsBound(nameof(MaximumRetryCount)) && MaximumRetryCount == 0,
            MaximumWaitMs = (ulong)MaximumWaitSeconds * 1000,
            MaximumConnections = (uint)MaximumConnectionCount,
            Proxy = Proxy?.OriginalString,
            ProxyCredential = LoginOrNull(ProxyCredential),
            ProxyUseDefaultCredentials = ProxyUseDefaultCredentials,
            NoProxy = NoProxy,
            Mirrors = Mirror,
            CachePath = CachePath is null ? null : ResolveFile(CachePath, nameof(CachePath)),
        });
    }

    private static PSCredential? LoginOrNull(PSCredential? credential) =>
        credential == PSCredential.Empty ? null : credential;

    private uint Milliseconds(int seconds, string parameter)
    {
        if (!IsBound(parameter))
        {
            return 0;
        }
        // The longest time that can be told is 49 days.
        return seconds == 0 ? uint.MaxValue : (uint)Math.Min(uint.MaxValue, seconds * 1000L);
    }

    private void RefuseContradictions()
    {
        if (Proxy is not null && NoProxy)
        {
            throw Failure.InvalidArgument("-Proxy and -NoProxy cannot be used together.", nameof(NoProxy));
        }
        if (ProxyUseDefaultCredentials && ProxyCredential is not null)
        {
            throw Failure.InvalidArgument(
                "-ProxyCredential and -ProxyUseDefaultCredentials cannot be used together.", nameof(ProxyCredential));
        }
        if (Proxy is null && (ProxyUseDefaultCredentials || ProxyCredential is not null))
        {
            string parameter = ProxyUseDefaultCredentials
                ? nameof(ProxyUseDefaultCredentials)
                : nameof(ProxyCredential);
            throw Failure.InvalidArgument($"-{parameter} is for the proxy of -Proxy, which is not given.", parameter);
        }
    }

    private string UserAgent()
    {
        var versions = SessionState.PSVariable.GetValue("PSVersionTable") as IDictionary;
        string system = $"{RuntimeInformation.OSDescription}; {RuntimeInformation.ProcessArchitecture}";
        string text = $"PowerShell/{versions?["PSVersion"]} ({system}; {versions?["PSEdition"]})";
        var header = new StringBuilder(text.Length);
        foreach (char character in text)
        {
            header.Append(character is >= ' ' and <= '~' ? character : '?');
        }
        return header.ToString();
    }
}
