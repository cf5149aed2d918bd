using System;
using System.Collections.Generic;

namespace WslImage.Native;

/// <summary>The tags of a repository.</summary>
internal sealed class TagsHandle : NativeHandle
{
    internal TagsHandle(IntPtr handle)
        : base(handle)
    {
    }

    /// <summary>In the registry's order.</summary>
    internal IEnumerable<string> Tags
    {
        get
        {
            uint count = (uint)NativeMethods.TagsCount(this);
            for (uint i = 0; i < count; i++)
            {
                yield return NativeMethods.Text(NativeMethods.TagsGet(this, (UIntPtr)i)) ?? string.Empty;
            }
        }
    }

    protected override bool ReleaseHandle()
    {
        NativeMethods.TagsFree(handle);
        return true;
    }
}
