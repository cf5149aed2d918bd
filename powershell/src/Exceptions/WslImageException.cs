using System;

/// <summary>Something about an image went wrong.</summary>
public class WslImageException : WslManagerException
{
    /// <inheritdoc cref="WslManagerException(string)"/>
    public WslImageException(string message)
        : base(message)
    {
    }

    /// <inheritdoc cref="WslManagerException(string, Exception)"/>
    public WslImageException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}
