using System;
using System.Management.Automation;
using WslImage.Native;

namespace WslImage;

/// <summary>What the commands about the cache have in common: which folder it is.</summary>
public abstract class CacheCmdlet : NativeCmdlet
{
    private const string Variable = "WSLIMAGE_CACHE";

    /// <summary>The folder; that of $env:WSLIMAGE_CACHE when not given.</summary>
    [Parameter(ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string? CachePath { get; set; }

    private protected override string Subject => CachePath ?? $"$env:{Variable}";

    private protected string CacheFolder()
    {
        if (CachePath is not null)
        {
            return ResolveFile(CachePath, nameof(CachePath));
        }
        string? folder = Environment.GetEnvironmentVariable(Variable);
        return string.IsNullOrEmpty(folder)
            ? throw Failure.InvalidArgument(
                $"No cache is set up: name its folder with -{nameof(CachePath)} or in $env:{Variable}.",
                nameof(CachePath))
            : folder!;
    }

    private protected static CacheHandle Open(string folder) => CacheHandle.New(folder, nameof(CachePath));
}
