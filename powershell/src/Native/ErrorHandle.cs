using System;
using System.Collections.Generic;

namespace WslImage.Native;

/// <summary>What went wrong in the native library.</summary>
internal sealed class ErrorHandle : NativeHandle
{
    internal ErrorHandle(IntPtr handle)
        : base(handle)
    {
    }

    internal ErrorKind Kind => NativeMethods.ErrorKindOf(this);

    internal Stage Stage => NativeMethods.ErrorStage(this);

    internal string Message => NativeMethods.Text(NativeMethods.ErrorMessage(this)) ?? string.Empty;

    internal int? HttpStatus => NativeMethods.ErrorHttpStatus(this) is ushort status and not 0 ? status : null;

    internal string? RegistryCode => NativeMethods.Text(NativeMethods.ErrorRegistryCode(this));

    internal TimeSpan? RetryAfter =>
        NativeMethods.ErrorRetryAfterMs(this) is long milliseconds and >= 0
            ? TimeSpan.FromMilliseconds(milliseconds)
            : null;

    internal string? Advice => NativeMethods.Text(NativeMethods.ErrorAdvice(this));

    internal string? Target => NativeMethods.Text(NativeMethods.ErrorTarget(this));

    /// <summary>The chain of causes, the nearest first.</summary>
    internal List<string> Causes
    {
        get
        {
            var causes = new List<string>();
            while (NativeMethods.Text(NativeMethods.ErrorCause(this, (UIntPtr)(uint)causes.Count)) is string cause)
            {
                causes.Add(cause);
            }
            return causes;
        }
    }

    /// <summary>Throws what a call reported, and frees it.</summary>
    /// <param name="status">What the call returned.</param>
    /// <param name="error">Its error handle; zero when it gave none.</param>
    /// <exception cref="FailureException">The status is not OK.</exception>
    internal static void Check(int status, IntPtr error)
    {
        using var details = new ErrorHandle(error);
        if (status != NativeMethods.StatusOk)
        {
            throw details.IsInvalid
                ? Failure.Unexpected($"The native library of WslImage refused a call (status {status}).", null)
                : Failure.From(details);
        }
    }

    protected override bool ReleaseHandle()
    {
        NativeMethods.ErrorFree(handle);
        return true;
    }
}
