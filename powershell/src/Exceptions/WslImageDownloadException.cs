using System;

/// <summary>An image, its manifest or a token could not be fetched.</summary>
public class WslImageDownloadException : WslImageException
{
    /// <inheritdoc cref="WslManagerException(string)"/>
    public WslImageDownloadException(string message)
        : base(message)
    {
    }

    /// <inheritdoc cref="WslManagerException(string, Exception)"/>
    public WslImageDownloadException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }

    /// <summary>The HTTP status that was answered; null when it was none.</summary>
    public int? StatusCode { get; internal set; }

    /// <summary>The registry's own code (OCI distribution-spec, "Error Codes"), such as MANIFEST_UNKNOWN.</summary>
    public string? RegistryCode { get; internal set; }

    /// <summary>How long the server asked to wait before the next try.</summary>
    public TimeSpan? RetryAfter { get; internal set; }
}
