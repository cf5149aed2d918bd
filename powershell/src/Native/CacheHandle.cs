using System;
using System.Collections.Generic;

namespace WslImage.Native;

/// <summary>A folder in which blobs are kept.</summary>
internal sealed unsafe class CacheHandle : NativeHandle
{
    private CacheHandle(IntPtr handle)
        : base(handle)
    {
    }

    /// <exception cref="FailureException">Something else than a folder has that name.</exception>
    internal static CacheHandle New(string path, string parameter)
    {
        using var argument = Utf8Argument.From(path, parameter);
        ErrorHandle.Check(NativeMethods.CacheNew(argument, out IntPtr cache, out IntPtr error), error);
        return new CacheHandle(cache);
    }

    /// <summary>Those that were used last first.</summary>
    internal List<CacheEntry> Entries()
    {
        ErrorHandle.Check(NativeMethods.CacheRead(this, out IntPtr entries, out IntPtr error), error);
        using var handle = new CacheEntriesHandle(entries);
        return handle.Entries;
    }

    /// <summary>Removes the blob of that digest, or those unused since that time, or all, where both are null.</summary>
    internal NativeMethods.CacheRemoved Remove(string? digest, DateTime? unusedSince)
    {
        using var argument = Utf8Argument.From(digest, "Digest");
        var filter = new NativeMethods.CacheFilter
        {
            Size = (UIntPtr)sizeof(NativeMethods.CacheFilter),
            Digest = argument.Pointer,
            UnusedSinceMs = unusedSince is DateTime time ? UnixTime.From(time) : 0,
        };
        var removed = new NativeMethods.CacheRemoved { Size = (UIntPtr)sizeof(NativeMethods.CacheRemoved) };
        ErrorHandle.Check(NativeMethods.CacheRemove(this, filter, ref removed, out IntPtr error), error);
        return removed;
    }

    protected override bool ReleaseHandle()
    {
        NativeMethods.CacheFree(handle);
        return true;
    }
}
