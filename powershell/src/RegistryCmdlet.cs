using System;
using System.Management.Automation;
using System.Management.Automation.Host;
using WslImage.Native;

namespace WslImage;

/// <summary>What the commands that talk to a registry have in common: parameters, native jobs, errors.</summary>
public abstract partial class RegistryCmdlet : NativeCmdlet
{
    internal const string DefaultRegistry = "ghcr.io";

    /// <summary>The parameter sets: an image at a registry, and one of a file or folder.</summary>
    internal const string RegistrySet = "Registry";
    internal const string PathSet = "Path";

    private readonly object _gate = new();
    private OperationHandle? _operation;
    private bool _isEnding;

    /// <summary>The platform, OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT; linux/amd64 when not given.</summary>
    [Parameter]
    public string? Platform { get; set; }

    /// <summary>Does the job.</summary>
    protected sealed override void EndProcessing()
    {
        RunningCommands.Add(this);
        try
        {
            Guard(Execute);
        }
        finally
        {
            RunningCommands.Remove(this);
        }
    }

    /// <summary>Only cancels: called on another thread, before, while and after a native job runs.</summary>
    protected override void StopProcessing() => End();

    /// <summary>Cancels the native job that runs, and any that would follow; from any thread.</summary>
    internal void End()
    {
        lock (_gate)
        {
            _isEnding = true;
            _operation?.Cancel();
        }
    }

    private protected abstract void Execute();

    /// <summary>Which image; a registry that was not named gives way to one in the name.</summary>
    private protected ImageArguments NewImage(string parameter, string name, string? registry, string? tag = null) =>
        new(parameter, name)
        {
            Registry = IsBound("Registry") ? registry ?? string.Empty : null,
            DefaultRegistry = DefaultRegistry,
            Tag = tag,
            Platform = Platform,
        };

    private protected void WriteRetrieving(ResolvedName name, string repository) =>
        WriteWorking(
            $"Retrieving docker image manifest for {repository}:{name.Version} from registry {name.Registry}...");

    /// <summary>Looks up manifest and config of an image at a registry.</summary>
    /// <param name="client">The client.</param>
    /// <param name="image">Which image.</param>
    /// <param name="onResolving">Called once, between the lines about the token and those about manifests.</param>
    private protected ManifestHandle GetManifest(ClientHandle client, ImageArguments image, Action? onResolving = null)
    {
        void Announce(Stage stage)
        {
            if (stage >= Stage.Resolving)
            {
                onResolving?.Invoke();
                onResolving = null;
            }
        }
        using OperationHandle operation = client.StartManifest(image);
        // Lines of two stages may come in one call.
        Run(operation, progress => Announce(progress.Stage), Announce);
        return operation.TakeManifest();
    }

    /// <summary>Looks up manifest and config of an image of a file or folder.</summary>
    private protected ManifestHandle GetLocalManifest(string path, string? tag)
    {
        using OperationHandle operation = ManifestHandle.StartLocal(path, tag, Platform);
        Run(operation);
        return operation.TakeManifest();
    }

    /// <summary>Waits for a native job, and writes its verbose lines and warnings as they come.</summary>
    /// <param name="operation">The job.</param>
    /// <param name="onProgress">Called as the job goes on, after the lines that came with it.</param>
    /// <param name="onLine">Called before a line is written, with the stage in which it was told.</param>
    private protected void Run(
        OperationHandle operation,
        Action<NativeMethods.Progress>? onProgress = null,
        Action<Stage>? onLine = null)
    {
        ulong linesWritten = 0;
        void Observe(NativeMethods.Progress progress)
        {
            while (linesWritten < progress.NoticeCount)
            {
                string line = operation.Notice(linesWritten++, out bool isWarning, out Stage stage) ?? string.Empty;
                onLine?.Invoke(stage);
                WriteNotice(line, isWarning);
            }
            onProgress?.Invoke(progress);
        }
        try
        {
            lock (_gate)
            {
                _operation = operation;
                // It found no job if it came before this.
                if (_isEnding || Stopping)
                {
                    operation.Cancel();
                }
            }
            operation.Run(Observe);
            // What came after the last call.
            Observe(operation.Progress);
        }
        finally
        {
            lock (_gate)
            {
                _operation = null;
            }
        }
    }

    private protected void WriteWorking(string text) => WriteLine("\u231B", ConsoleColor.DarkGray, text);

    private protected void WriteFact(string text) => WriteLine("\U0001F440", ConsoleColor.DarkYellow, text);

    private protected void WriteSuccess(string text) => WriteLine("\U0001F389", ConsoleColor.DarkGreen, text);

    private void WriteNotice(string text, bool isWarning)
    {
        if (isWarning)
        {
            WriteWarning(text);
        }
        else
        {
            WriteVerbose(text);
        }
    }

    // As two calls of Write-Host: the sign without a line end, and the text in a colour.
    private void WriteLine(string sign, ConsoleColor colour, string text)
    {
        WriteHost(new HostInformationMessage { Message = sign + " ", NoNewLine = true });
        var message = new HostInformationMessage { Message = text, NoNewLine = false, ForegroundColor = colour };
        try
        {
            // With one of the two colours alone, the engine draws the text on black.
            message.BackgroundColor = Host.UI.RawUI.BackgroundColor;
        }
        catch (HostException)
        {
            // A host without a console has no colours.
        }
        WriteHost(message);
    }

    private void WriteHost(HostInformationMessage message) => WriteInformation(message, ["PSHOST"]);
}
