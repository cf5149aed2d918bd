using System;
using WslImage.Native;

namespace WslImage;

/// <summary>A layer, manifest or config that the cache holds.</summary>
public sealed class CachedBlob
{
    internal CachedBlob(CacheEntry entry, string cachePath)
    {
        Digest = entry.Digest;
        Size = (long)entry.Size;
        LastUsed = entry.LastUsed;
        Path = entry.Path;
        CachePath = cachePath;
    }

    /// <summary>What it hashes to, sha256:….</summary>
    public string Digest { get; }

    /// <summary>In bytes.</summary>
    public long Size { get; }

    /// <summary>When it was last put in or used, in local time.</summary>
    public DateTime LastUsed { get; }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>The folder of the cache.</summary>
    public string CachePath { get; }

    /// <inheritdoc/>
    public override string ToString() => Digest;
}
