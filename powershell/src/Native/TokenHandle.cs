using System;

namespace WslImage.Native;

/// <summary>A bearer token; freeing it overwrites the secret.</summary>
internal sealed class TokenHandle : NativeHandle
{
    internal TokenHandle(IntPtr handle)
        : base(handle)
    {
    }

    /// <summary>Null where the registry asks for none.</summary>
    internal string? Value => NativeMethods.Text(NativeMethods.TokenValue(this));

    protected override bool ReleaseHandle()
    {
        NativeMethods.TokenFree(handle);
        return true;
    }
}
