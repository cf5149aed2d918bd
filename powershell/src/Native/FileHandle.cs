using System;

namespace WslImage.Native;

/// <summary>The file that a pull has written.</summary>
internal sealed class FileHandle : NativeHandle
{
    internal FileHandle(IntPtr handle)
        : base(handle)
    {
    }

    /// <summary>Of the bytes on disk, "sha256:…".</summary>
    internal string Digest => NativeMethods.Text(NativeMethods.FileDigest(this)) ?? string.Empty;

    /// <summary>In bytes.</summary>
    internal ulong Size => NativeMethods.FileSize(this);

    protected override bool ReleaseHandle()
    {
        NativeMethods.FileFree(handle);
        return true;
    }
}
