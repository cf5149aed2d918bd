using System;

namespace WslImage.Native;

/// <summary>The whole name of an image, put together from what the user gave.</summary>
internal sealed class ReferenceHandle : NativeHandle
{
    private ReferenceHandle(IntPtr handle)
        : base(handle)
    {
    }

    internal string Registry => NativeMethods.Text(NativeMethods.ReferenceRegistry(this)) ?? string.Empty;

    /// <summary>The name at the registry.</summary>
    internal string Repository => NativeMethods.Text(NativeMethods.ReferenceRepository(this)) ?? string.Empty;

    /// <summary>The digest where there is one, else the tag.</summary>
    internal string Version => NativeMethods.Text(NativeMethods.ReferenceVersion(this)) ?? string.Empty;

    /// <exception cref="FailureException">The parts are not well formed, or contradict each other.</exception>
    internal static ReferenceHandle New(ImageArguments arguments)
    {
        using var native = new NativeImage(arguments);
        ErrorHandle.Check(NativeMethods.ReferenceNew(native.Image, out IntPtr reference, out IntPtr error), error);
        return new ReferenceHandle(reference);
    }

    protected override bool ReleaseHandle()
    {
        NativeMethods.ReferenceFree(handle);
        return true;
    }
}
