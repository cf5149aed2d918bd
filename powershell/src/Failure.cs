using System;
using System.Collections.Generic;
using System.Management.Automation;
using WslImage.Native;

namespace WslImage;

/// <summary>Makes the errors of the module. Their ids are for programs: they never change.</summary>
internal static class Failure
{
    /// <summary>What the native library reported. It words the message; nothing is added here.</summary>
    internal static FailureException From(ErrorHandle error)
    {
        (string id, ErrorCategory category) = Classify(error.Kind);
        string message = error.Message;
        Exception? cause = Chain(error.Causes);
        WslImageDownloadException exception = error.Kind == ErrorKind.NotFound
            ? new WslImageSourceNotFoundException(message, cause)
            : new WslImageDownloadException(message, cause);
        exception.StatusCode = error.HttpStatus;
        exception.RegistryCode = error.RegistryCode;
        exception.RetryAfter = error.RetryAfter;
        return new FailureException(exception, id, category, error.Target, error.Advice);
    }

    /// <summary>A value that cannot be used.</summary>
    internal static FailureException InvalidArgument(string message, object target, Exception? cause = null) =>
        New(message, cause, nameof(ErrorKind.InvalidArgument), ErrorCategory.InvalidArgument, target);

    /// <summary>The native library is missing, does not load, or is of another release.</summary>
    internal static FailureException LibraryNotUsable(string message) =>
        New(message, null, "NativeLibraryNotUsable", ErrorCategory.NotInstalled, NativeLibraryFile.Path);

    /// <summary>A defect.</summary>
    internal static FailureException Unexpected(string message, Exception? cause) =>
        New(message, cause, "InternalError", ErrorCategory.InvalidResult, null);

    private static FailureException New(
        string message, Exception? cause, string id, ErrorCategory category, object? target) =>
        new(new WslImageDownloadException(message, cause), id, category, target);

    private static (string Id, ErrorCategory Category) Classify(ErrorKind kind) => kind switch
    {
        ErrorKind.InvalidArgument => (nameof(ErrorKind.InvalidArgument), ErrorCategory.InvalidArgument),
        ErrorKind.InvalidReference => ("InvalidReference", ErrorCategory.InvalidArgument),
        ErrorKind.Unauthorized => ("Unauthorized", ErrorCategory.AuthenticationError),
        ErrorKind.Denied => ("Denied", ErrorCategory.PermissionDenied),
        ErrorKind.NotFound => ("ImageNotFound", ErrorCategory.ObjectNotFound),
        ErrorKind.BlobNotFound => ("BlobNotFound", ErrorCategory.ObjectNotFound),
        ErrorKind.RateLimited => ("RateLimited", ErrorCategory.LimitsExceeded),
        ErrorKind.Server => ("ServerError", ErrorCategory.ResourceUnavailable),
        ErrorKind.Connection => ("ConnectionFailed", ErrorCategory.ConnectionError),
        ErrorKind.Tls => ("TlsFailed", ErrorCategory.SecurityError),
        ErrorKind.Timeout => ("TimedOut", ErrorCategory.OperationTimeout),
        ErrorKind.InvalidResponse => ("InvalidResponse", ErrorCategory.ProtocolError),
        ErrorKind.NoPlatform => ("PlatformNotFound", ErrorCategory.ObjectNotFound),
        ErrorKind.UnsupportedImage => ("UnsupportedImage", ErrorCategory.InvalidType),
        ErrorKind.DigestMismatch => ("DigestMismatch", ErrorCategory.InvalidData),
        ErrorKind.File => ("FileNotWritten", ErrorCategory.WriteError),
        ErrorKind.Insecure => ("InsecureConnection", ErrorCategory.SecurityError),
        ErrorKind.Proxy => ("ProxyFailed", ErrorCategory.ConnectionError),
        ErrorKind.Blocked => ("RegistryBlocked", ErrorCategory.PermissionDenied),
        ErrorKind.Cancelled => ("Cancelled", ErrorCategory.OperationStopped),
        _ => ("InternalError", ErrorCategory.InvalidResult),
    };

    private static WslImageException? Chain(List<string> causes)
    {
        WslImageException? cause = null;
        for (int i = causes.Count - 1; i >= 0; i--)
        {
            cause = new WslImageException(causes[i], cause);
        }
        return cause;
    }
}
