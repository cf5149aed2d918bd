using System;
using System.Collections;
using System.Collections.Generic;
using System.Text;

namespace WslImage;

/// <summary>
/// What $env: has. On Unix .NET keeps changes to itself, so the native library would see what the process was started
/// with.
/// </summary>
internal static class ProcessEnvironment
{
    /// <summary>Each NAME=VALUE.</summary>
    internal static List<string> Variables()
    {
        var variables = new List<string>();
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            // On Windows a value may have half a surrogate pair, which becomes U+FFFD.
            byte[] text = Encoding.UTF8.GetBytes($"{variable.Key}={variable.Value}");
            variables.Add(Encoding.UTF8.GetString(text));
        }
        return variables;
    }
}
