using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using System.Management.Automation.Language;
using System.Text.RegularExpressions;
using System.Threading;

namespace WslImage;

/// <summary>Completes -Tag by the tags that the registry has. What goes wrong gives no completion, and no message.</summary>
public sealed class TagCompleter : IArgumentCompleter
{
    private const string ImageNameParameter = nameof(GetDockerImageTagCommand.ImageName);

    // A key press must not hang.
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(2);

    // While somebody types on, the registry need not be asked again.
    private static readonly TimeSpan _memory = TimeSpan.FromSeconds(15);

    private static readonly string[] _logins =
        [nameof(RegistryCmdlet.Credential), nameof(RegistryCmdlet.ProxyCredential)];

    // OCI distribution-spec, "Pulling manifests": what a tag is made of. None of it needs quotes.
    private static readonly Regex _plainTag = new(@"^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\z", RegexOptions.CultureInvariant);

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
        foreach (string tag in Tags(fakeBoundParameters))
        {
            if (tag.StartsWith(start, StringComparison.OrdinalIgnoreCase))
            {
                yield return new CompletionResult(
                    quote + tag + quote, tag, CompletionResultType.ParameterValue, tag);
            }
        }
    }

    private static IReadOnlyList<string> Tags(IDictionary given)
    {
        try
        {
            Dictionary<string, object?> parameters = Parameters(given);
            if (!parameters.ContainsKey(ImageNameParameter))
            {
                return [];
            }
            Answer? last = _last;
            if (last is null || !last.IsFor(parameters))
            {
                last = new Answer(parameters, Ask(parameters));
                _last = last;
            }
            return last.Tags;
        }
        catch (Exception exception) when (exception is RuntimeException or InvalidOperationException or ArgumentException)
        {
            return [];
        }
    }

    /// <summary>What of the command line so far says where to ask, and how.</summary>
    private static Dictionary<string, object?> Parameters(IDictionary given)
    {
        var known = new HashSet<string>(
            typeof(GetDockerImageTagCommand).GetProperties()
                .Where(property => property.IsDefined(typeof(ParameterAttribute), inherit: true))
                .Select(property => property.Name),
            StringComparer.OrdinalIgnoreCase);
        var parameters = new Dictionary<string, object?>(StringComparer.OrdinalIgnoreCase);
        foreach (DictionaryEntry entry in given)
        {
            if (entry.Key is not string name || !known.Contains(name))
            {
                continue;
            }
            object? value = entry.Value is PSObject wrapped ? wrapped.BaseObject : entry.Value;
            // The name of a user would ask for his password.
            if (!_logins.Contains(name, StringComparer.OrdinalIgnoreCase) || value is PSCredential)
            {
                parameters[name] = value;
            }
        }
        return parameters;
    }

    private static List<string> Ask(Dictionary<string, object?> parameters)
    {
        using var shell = PowerShell.Create(RunspaceMode.CurrentRunspace);
        shell.AddCommand(new CmdletInfo("Get-DockerImageTag", typeof(GetDockerImageTagCommand)))
            .AddParameters(parameters)
            .AddParameter("Verbose", false)
            .AddParameter("WarningAction", ActionPreference.SilentlyContinue);
        using var timer = new Timer(Stop, shell, _patience, Timeout.InfiniteTimeSpan);
        var tags = new List<string>();
        try
        {
            foreach (PSObject result in shell.Invoke())
            {
                if (result.BaseObject is string tag && _plainTag.IsMatch(tag))
                {
                    tags.Add(tag);
                }
            }
        }
        catch (RuntimeException)
        {
            // That there is no answer is remembered too.
            tags.Clear();
        }
        return tags;
    }

    private static void Stop(object? shell)
    {
        try
        {
            ((PowerShell)shell!).Stop();
        }
        catch (Exception exception) when (exception is InvalidOperationException or RuntimeException)
        {
            // It has ended in the meantime.
        }
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

        internal IReadOnlyList<string> Tags { get; }

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
