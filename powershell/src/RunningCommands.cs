using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Management.Automation;
using System.Management.Automation.Runspaces;

namespace WslImage;

/// <summary>The commands that run, each in its runspace. When the module is removed from a runspace, they end there.</summary>
/// <remarks>The engine makes one of these when it removes the module.</remarks>
public sealed class RunningCommands : IModuleAssemblyCleanup
{
    private static readonly ConcurrentDictionary<RegistryCmdlet, Guid> _running = new();

    /// <summary>Ends what runs in this runspace: a command behind the running one has removed the module.</summary>
    public void OnRemove(PSModuleInfo psModuleInfo)
    {
        Guid here = CurrentRunspace();
        foreach (KeyValuePair<RegistryCmdlet, Guid> one in _running)
        {
            if (one.Value == here)
            {
                one.Key.End();
            }
        }
    }

    internal static void Add(RegistryCmdlet command) => _running[command] = CurrentRunspace();

    internal static void Remove(RegistryCmdlet command) => _running.TryRemove(command, out _);

    private static Guid CurrentRunspace() => Runspace.DefaultRunspace?.InstanceId ?? Guid.Empty;
}
