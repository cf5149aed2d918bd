using System;
using System.Collections.Generic;

namespace WslImage.Native;

/// <summary>What an image is: manifest and config, and its layers, of which the first one is described here.</summary>
internal sealed class ManifestHandle : NativeHandle
{
    internal ManifestHandle(IntPtr handle)
        : base(handle)
    {
    }

    internal string Reference => NativeMethods.Text(NativeMethods.ManifestReference(this)) ?? string.Empty;

    /// <summary>The config less history and rootfs, as JSON that ConvertFrom-Json takes.</summary>
    internal string MetadataJson =>
        NativeMethods.Text(NativeMethods.ManifestMetadataJson(this, out UIntPtr length), length);

    /// <summary>The keys of the config that <see cref="MetadataJson"/> had to leave out.</summary>
    internal IEnumerable<string> DroppedKeys
    {
        get
        {
            uint count = (uint)NativeMethods.ManifestDroppedKeyCount(this);
            for (uint i = 0; i < count; i++)
            {
                yield return NativeMethods.Text(NativeMethods.ManifestDroppedKey(this, (UIntPtr)i)) ?? string.Empty;
            }
        }
    }

    internal string LayerMediaType =>
        NativeMethods.Text(NativeMethods.ManifestLayerMediaType(this, UIntPtr.Zero)) ?? string.Empty;

    internal string LayerDigest =>
        NativeMethods.Text(NativeMethods.ManifestLayerDigest(this, UIntPtr.Zero)) ?? string.Empty;

    internal ulong LayerSize => NativeMethods.ManifestLayerSize(this, UIntPtr.Zero);

    protected override bool ReleaseHandle()
    {
        NativeMethods.ManifestFree(handle);
        return true;
    }
}
