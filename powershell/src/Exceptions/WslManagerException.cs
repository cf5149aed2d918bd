using System;

/// <summary>The root of the errors that callers of the original commands know.</summary>
public class WslManagerException : SystemException
{
    /// <summary>An error with its text.</summary>
    /// <param name="message">What went wrong.</param>
    public WslManagerException(string message)
        : base(message)
    {
    }

    /// <summary>An error with its text and its cause.</summary>
    /// <param name="message">What went wrong.</param>
    /// <param name="innerException">The cause; null when there is none.</param>
    public WslManagerException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}
