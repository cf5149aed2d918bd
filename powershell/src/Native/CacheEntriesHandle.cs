using System;
using System.Collections.Generic;

namespace WslImage.Native;

/// <summary>What a cache held when it was read.</summary>
internal sealed class CacheEntriesHandle : NativeHandle
{
    internal CacheEntriesHandle(IntPtr handle)
        : base(handle)
    {
    }

    /// <summary>Those that were used last first.</summary>
    internal List<CacheEntry> Entries
    {
        get
        {
            var entries = new List<CacheEntry>();
            uint count = (uint)NativeMethods.CacheEntriesCount(this);
            for (uint i = 0; i < count; i++)
            {
                var index = (UIntPtr)i;
                entries.Add(new CacheEntry(
                    NativeMethods.Text(NativeMethods.CacheEntriesDigest(this, index)) ?? string.Empty,
                    NativeMethods.Text(NativeMethods.CacheEntriesPath(this, index)) ?? string.Empty,
                    NativeMethods.CacheEntriesSize(this, index),
                    UnixTime.ToLocal(NativeMethods.CacheEntriesLastUsedMs(this, index))));
            }
            return entries;
        }
    }

    protected override bool ReleaseHandle()
    {
        NativeMethods.CacheEntriesFree(handle);
        return true;
    }
}
