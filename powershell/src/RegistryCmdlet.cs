using System;
using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Host;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.PowerShell.Commands;
using WslImage.Native;

namespace WslImage;

/// <summary>What the commands that talk to a registry have in common: parameters, native jobs, errors.</summary>
public abstract class RegistryCmdlet : PSCmdlet
{
    private const string DockerHub = "docker.io";
    private const string FirstLineOfResolving = "Getting docker image manifest ";

    private readonly object _gate = new();
    private OperationHandle? _operation;

    /// <summary>The login at the registry or its token service. Without it the registry is asked as anybody.</summary>
    [Parameter]
    [Credential]
    public PSCredential? Credential { get; set; }

    /// <summary>A file of certificates (PEM) to trust beside those of the operating system.</summary>
    [Parameter]
    public string? CACertificatePath { get; set; }

    /// <summary>Takes any certificate. Whoever stands between can then read and change everything.</summary>
    [Parameter]
    public SwitchParameter SkipCertificateCheck { get; set; }

    /// <summary>Talks to the registry by http, which anybody on the way can read and change.</summary>
    [Parameter]
    public SwitchParameter PlainHttp { get; set; }

    /// <summary>The platform, OS/ARCHITECTURE or OS/ARCHITECTURE/VARIANT; linux/amd64 when not given.</summary>
    [Parameter]
    public string? Platform { get; set; }

    /// <summary>Does the job. A script that does not catch what it throws ends at this command.</summary>
    protected sealed override void EndProcessing()
    {
        try
        {
            NativeMethods.EnsureLoaded();
            Execute();
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

    /// <summary>Only cancels: called on another thread, before, while and after a native job runs.</summary>
    protected override void StopProcessing()
    {
        lock (_gate)
        {
            _operation?.Cancel();
        }
    }

    /// <summary>What the command is about, for errors.</summary>
    private protected abstract string Subject { get; }

    private protected abstract void Execute();

    private protected ClientHandle NewClient()
    {
        PSCredential? login = Credential == PSCredential.Empty ? null : Credential;
        using var username = Utf8Argument.From(login?.UserName, nameof(Credential));
        using Utf8Argument password = login is null
            ? Utf8Argument.From((string?)null, nameof(Credential))
            : Utf8Argument.From(login.Password, nameof(Credential));
        using var caCertificatePath = Utf8Argument.From(
            CACertificatePath is null ? null : ResolveFile(CACertificatePath, nameof(CACertificatePath)),
            nameof(CACertificatePath));
        using var userAgent = Utf8Argument.From(UserAgent(), nameof(UserAgent));
        return ClientHandle.New(
            username, password, caCertificatePath, userAgent, SkipCertificateCheck, PlainHttp);
    }

    /// <summary>The name as the registry has it: at Docker Hub, names of one word are in library/.</summary>
    private protected static string RepositoryName(string registry, string name) =>
        registry.Equals(DockerHub, StringComparison.OrdinalIgnoreCase) && name.Length > 0 && name.IndexOf('/') < 0
            ? "library/" + name
            : name;

    private protected void WriteRetrieving(string registry, string imageName, string tag) =>
        WriteWorking($"Retrieving docker image manifest for {imageName}:{tag} from registry {registry}...");

    /// <summary>Looks up manifest and config of an image that has one layer.</summary>
    /// <param name="client">The client.</param>
    /// <param name="image">Which image.</param>
    /// <param name="onResolving">Called once, between the lines about the token and those about manifests.</param>
    private protected ManifestHandle GetManifest(ClientHandle client, ImageArguments image, Action? onResolving = null)
    {
        void Announce()
        {
            onResolving?.Invoke();
            onResolving = null;
        }
        using OperationHandle operation = client.StartManifest(image);
        Run(
            operation,
            progress =>
            {
                if (progress.Stage >= Stage.Resolving)
                {
                    Announce();
                }
            },
            line =>
            {
                // Lines of two stages may come in one call, and say not to which they belong.
                if (line.StartsWith(FirstLineOfResolving, StringComparison.Ordinal))
                {
                    Announce();
                }
            });
        return operation.TakeManifest();
    }

    /// <summary>Waits for a native job, and writes its verbose lines and warnings as they come.</summary>
    /// <param name="operation">The job.</param>
    /// <param name="onProgress">Called as the job goes on, after the lines that came with it.</param>
    /// <param name="onLine">Called before a line is written.</param>
    private protected void Run(
        OperationHandle operation,
        Action<NativeMethods.Progress>? onProgress = null,
        Action<string>? onLine = null)
    {
        ulong linesWritten = 0;
        void Observe(NativeMethods.Progress progress)
        {
            while (linesWritten < progress.NoticeCount)
            {
                string line = operation.Notice(linesWritten++, out bool isWarning) ?? string.Empty;
                onLine?.Invoke(line);
                WriteNotice(line, isWarning);
            }
            onProgress?.Invoke(progress);
        }
        try
        {
            lock (_gate)
            {
                _operation = operation;
                // The engine sets Stopping before it calls StopProcessing, which found no job if it came before this.
                if (Stopping)
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

    private protected void WriteWorking(string text) => WriteLine("\u231B", ConsoleColor.DarkGray, text);

    private protected void WriteFact(string text) => WriteLine("\U0001F440", ConsoleColor.DarkYellow, text);

    private protected void WriteSuccess(string text) => WriteLine("\U0001F389", ConsoleColor.DarkGreen, text);

    private static bool IsOfTheEngine(Exception exception) =>
        exception is RuntimeException or FlowControlException or HaltCommandException;

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
