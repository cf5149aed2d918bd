using System;

namespace WslImage.Native;

/// <summary>A blob that a cache holds.</summary>
internal sealed class CacheEntry
{
    internal CacheEntry(string digest, string path, ulong size, DateTime lastUsed)
    {
        Digest = digest;
        Path = path;
        Size = size;
        LastUsed = lastUsed;
    }

    internal string Digest { get; }

    internal string Path { get; }

    /// <summary>In bytes.</summary>
    internal ulong Size { get; }

    /// <summary>In local time.</summary>
    internal DateTime LastUsed { get; }
}
