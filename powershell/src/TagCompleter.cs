using System;
using System.Collections;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Language;
using System.Text.RegularExpressions;
using WslImage.Native;

namespace WslImage;

/// <summary>Completes -Tag by the tags that the registry has. What goes wrong gives no completion, and no message.</summary>
public sealed class TagCompleter : IArgumentCompleter
{
    // A key press must not hang.
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(2);

    // While somebody types on, the registry need not be asked again.
    private static readonly TimeSpan _memory = TimeSpan.FromSeconds(15);

    // OCI distribution-spec, "Pulling manifests": what a tag is made of. None of it needs quotes.
    private static readonly Regex _plainTag =
        new(@"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\z", RegexOptions.CultureInvariant);

    private static Answer? _last;

    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName,
        string parameterName,
        string wordToComplete,
        CommandAst commandAst,
        IDictionary fakeBoundParameters)
    {
        string word = wordToComplete ?? string.Empty;
        string quote = word.Length > 0 && word[0] is '\'' or '"' ? word.Substring(0, 1) : string.Empty;
        string start = word.Trim('\'', '"');
        return Tags(fakeBoundParameters)
            .Where(tag => tag.StartsWith(start, StringComparison.OrdinalIgnoreCase))
            .Select(tag => new CompletionResult(quote + tag + quote, tag, CompletionResultType.ParameterValue, tag));
    }

    private static List<string> Tags(IDictionary given)
    {
        Dictionary<string, object?> parameters = Parameters(given);
        Answer? last = _last;
        if (last is null || !last.IsFor(parameters))
        {
            last = new Answer(parameters, Ask(parameters));
            _last = last;
        }
        return last.Tags;
    }

    /// <summary>What of the command line so far says where to ask, and how.</summary>
    private static Dictionary<string, object?> Parameters(IDictionary given)
    {
        var parameters = new Dictionary<string, object?>(StringComparer.OrdinalIgnoreCase);
        foreach (DictionaryEntry entry in given)
        {
            if (entry.Key is string name && typeof(GetDockerImageTagCommand).GetProperty(name) is not null)
            {
                parameters[name] = entry.Value is PSObject wrapped ? wrapped.BaseObject : entry.Value;
            }
        }
        return parameters;
    }

    private static List<string> Ask(Dictionary<string, object?> parameters)
    {
        try
        {
            T? Value<T>(string name) => parameters.TryGetValue(name, out object? value) && value is not null
                ? (T)LanguagePrimitives.ConvertTo(value, typeof(T), CultureInfo.InvariantCulture)
                : default;
            // The name of a user, which the command takes too, would have to ask for his password.
            PSCredential? Login(string name) =>
                parameters.TryGetValue(name, out object? value) && value != PSCredential.Empty
                    ? value as PSCredential
                    : null;

            string? name = Value<string>(nameof(GetDockerImageTagCommand.ImageName));
            if (string.IsNullOrEmpty(name))
            {
                return [];
            }
            NativeMethods.EnsureLoaded();
            var image = new ImageArguments(nameof(GetDockerImageTagCommand.ImageName), name!)
            {
                Registry = Value<string>(nameof(GetDockerImageTagCommand.Registry)),
                DefaultRegistry = RegistryCmdlet.DefaultRegistry,
            };
            return Ask(image, new ClientArguments
            {
                Credential = Login(nameof(RegistryCmdlet.Credential)),
                CACertificatePath = ResolveFile(Value<string>(nameof(RegistryCmdlet.CACertificatePath))),
                SkipCertificateCheck = Value<bool>(nameof(RegistryCmdlet.SkipCertificateCheck)),
                PlainHttp = Value<bool>(nameof(RegistryCmdlet.PlainHttp)),
                Environment = ProcessEnvironment.Variables(),
                NoRetry = true,
                Proxy = Value<Uri>(nameof(RegistryCmdlet.Proxy))?.OriginalString,
                ProxyCredential = Login(nameof(RegistryCmdlet.ProxyCredential)),
                ProxyUseDefaultCredentials = Value<bool>(nameof(RegistryCmdlet.ProxyUseDefaultCredentials)),
                NoProxy = Value<bool>(nameof(RegistryCmdlet.NoProxy)),
                Mirrors = Value<string[]>(nameof(RegistryCmdlet.Mirror)),
            });
        }
        catch (Exception exception) when (exception is FailureException or RuntimeException or InvalidOperationException)
        {
            // That there is no answer is remembered too.
            return [];
        }
    }

    /// <summary>A path by the rules of the PowerShell in whose console the key was pressed.</summary>
    private static string? ResolveFile(string? path)
    {
        if (path is null)
        {
            return null;
        }
        using var shell = PowerShell.Create(RunspaceMode.CurrentRunspace);
        shell.AddScript("$ExecutionContext");
        return shell.Invoke<EngineIntrinsics>()[0].SessionState.Path.GetUnresolvedProviderPathFromPSPath(path);
    }

    private static List<string> Ask(ImageArguments image, ClientArguments arguments)
    {
        var clock = Stopwatch.StartNew();
        using var client = ClientHandle.New(arguments);
        using OperationHandle operation = client.StartTags(image);
        operation.Run(_ =>
        {
            if (clock.Elapsed > _patience)
            {
                operation.Cancel();
            }
        });
        using TagsHandle tags = operation.TakeTags();
        return tags.Tags.Where(tag => _plainTag.IsMatch(tag)).ToList();
    }

    /// <summary>What was answered to one question, and when.</summary>
    private sealed class Answer
    {
        private readonly Dictionary<string, object?> _parameters;
        private readonly DateTime _until = DateTime.UtcNow + _memory;

        internal Answer(Dictionary<string, object?> parameters, List<string> tags)
        {
            _parameters = parameters;
            Tags = tags;
        }

        internal List<string> Tags { get; }

        internal bool IsFor(Dictionary<string, object?> parameters) =>
            DateTime.UtcNow < _until
            && parameters.Count == _parameters.Count
            && parameters.All(pair => _parameters.TryGetValue(pair.Key, out object? value) && IsSame(value, pair.Value));

        private static bool IsSame(object? left, object? right) =>
            left is IEnumerable first and not string && right is IEnumerable second and not string
                ? first.Cast<object>().SequenceEqual(second.Cast<object>())
                : Equals(left, right);
    }
}
