using System;

/// <summary>The registry does not have the image.</summary>
public class WslImageSourceNotFoundException : WslImageDownloadException
{
    /// <inheritdoc cref="WslManagerException(string)"/>
    public WslImageSourceNotFoundException(string message)
        : base(message)
    {
    }

    /// <inheritdoc cref="WslManagerException(string, Exception)"/>
    public WslImageSourceNotFoundException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}
