using System;
using System.Management.Automation;
using Microsoft.PowerShell.Commands;
using WslImage.Native;

namespace WslImage;

/// <summary>What all commands have in common: the native library, paths, errors.</summary>
public abstract class NativeCmdlet : PSCmdlet
{
    /// <summary>What the command is about, for errors.</summary>
    private protected abstract string Subject { get; }

    /// <summary>Works with the native library. A script that does not catch what is thrown ends at this command.</summary>
    private protected void Guard(Action work)
    {
        try
        {
            NativeMethods.EnsureLoaded();
            work();
        }
        catch (FailureException failure)
        {
            Fail(failure);
        }
        catch (Exception exception) when (!IsOfTheEngine(exception))
        {
            Fail(Failure.Unexpected(exception.Message, exception));
        }
    }

    private protected bool IsBound(string parameter) => MyInvocation.BoundParameters.ContainsKey(parameter);

    /// <summary>A path of the file system by PowerShell's rules: its location, its drives, ~.</summary>
    private protected string ResolveFile(string path, string parameter)
    {
        string resolved;
        ProviderInfo provider;
        try
        {
            resolved = SessionState.Path.GetUnresolvedProviderPathFromPSPath(path, out provider, out _);
        }
        catch (Exception exception) when (exception is not PipelineStoppedException)
        {
            throw Failure.InvalidArgument(
                $"The value of -{parameter} is not a path: {exception.Message}", path, exception);
        }
        return provider.ImplementingType == typeof(FileSystemProvider)
            ? resolved
            : throw Failure.InvalidArgument(
                $"The value of -{parameter} must be a path of the file system, and {path} is one of {provider.Name}.",
                path);
    }

    private static bool IsOfTheEngine(Exception exception) =>
        exception is RuntimeException or FlowControlException or HaltCommandException;

    /// <summary>
    /// Ends the command as the throw statement of a script would: after ThrowTerminatingError, a script without
    /// try/catch goes on with its next line.
    /// </summary>
    private void Fail(FailureException failure)
    {
        if (Stopping)
        {
            throw new PipelineStoppedException();
        }
        ErrorRecord record = failure.ErrorRecord(this, Subject);
        throw new RuntimeException(record.Exception.Message, record.Exception, record)
        {
            WasThrownFromThrowStatement = true,
        };
    }
}
