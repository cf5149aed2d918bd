using System;
using System.Runtime.InteropServices;

namespace WslImage.Native;

/// <summary>An object of the native library, freed once.</summary>
internal abstract class NativeHandle : SafeHandle
{
    protected NativeHandle(IntPtr handle)
        : base(IntPtr.Zero, ownsHandle: true)
    {
        SetHandle(handle);
    }

    public override bool IsInvalid => handle == IntPtr.Zero;
}
