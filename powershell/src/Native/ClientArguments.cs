using System.Collections.Generic;
using System.Management.Automation;

namespace WslImage.Native;

/// <summary>How registries are reached, as the user said it; null, 0 and false for the default.</summary>
internal sealed class ClientArguments
{
    internal PSCredential? Credential { get; set; }

    internal string? CACertificatePath { get; set; }

    internal string? UserAgent { get; set; }

    internal bool SkipCertificateCheck { get; set; }

    internal bool PlainHttp { get; set; }

    /// <summary>Each NAME=VALUE; null for those that the process has.</summary>
    internal IReadOnlyList<string>? Environment { get; set; }

    internal uint ConnectTimeoutMs { get; set; }

    internal uint StallTimeoutMs { get; set; }

    internal uint MaximumRetries { get; set; }

    internal bool NoRetry { get; set; }

    internal ulong MaximumWaitMs { get; set; }

    internal uint MaximumConnections { get; set; }

    internal string? Proxy { get; set; }

    internal PSCredential? ProxyCredential { get; set; }

    internal bool ProxyUseDefaultCredentials { get; set; }

    internal bool NoProxy { get; set; }

    internal IReadOnlyList<string>? Mirrors { get; set; }

    internal string? CachePath { get; set; }
}
