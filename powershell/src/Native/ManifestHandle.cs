using System;
using System.Collections.Generic;

namespace WslImage.Native;

/// <summary>What an image is: manifest, config and layers.</summary>
internal sealed unsafe class ManifestHandle : NativeHandle
{
    internal ManifestHandle(IntPtr handle)
        : base(handle)
    {
    }

    /// <summary>Its reference, or its name in a file or folder and where that is.</summary>
    internal string Name => NativeMethods.Text(NativeMethods.ManifestName(this)) ?? string.Empty;

    internal string Platform => NativeMethods.Text(NativeMethods.ManifestPlatform(this)) ?? string.Empty;

    /// <summary>Of the platform's manifest.</summary>
    internal string Digest => NativeMethods.Text(NativeMethods.ManifestDigest(this)) ?? string.Empty;

    /// <summary>Of the platform's manifest; empty where nobody says it.</summary>
    internal string MediaType => NativeMethods.Text(NativeMethods.ManifestMediaType(this)) ?? string.Empty;

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

    /// <summary>The lowest first; there is at least one.</summary>
    internal IReadOnlyList<Layer> Layers
    {
        get
        {
            var layers = new List<Layer>();
            uint count = (uint)NativeMethods.ManifestLayerCount(this);
            for (uint i = 0; i < count; i++)
            {
                var index = (UIntPtr)i;
                layers.Add(new Layer(
                    NativeMethods.Text(NativeMethods.ManifestLayerMediaType(this, index)) ?? string.Empty,
                    NativeMethods.Text(NativeMethods.ManifestLayerDigest(this, index)) ?? string.Empty,
                    NativeMethods.ManifestLayerSize(this, index)));
            }
            return layers;
        }
    }

    /// <summary>Starts to look an image up in a file or folder.</summary>
    /// <param name="path">The file or folder.</param>
    /// <param name="tag">Its name there, its tag or its digest; null where there is one image.</param>
    /// <param name="platform">The platform; null for linux/amd64.</param>
    internal static OperationHandle StartLocal(string path, string? tag, string? platform)
    {
        using var pathArgument = Utf8Argument.From(path, "Path");
        using var tagArgument = Utf8Argument.From(tag, "Tag");
        using var platformArgument = Utf8Argument.From(platform, "Platform");
        var image = new NativeMethods.LocalImage
        {
            Size = (UIntPtr)sizeof(NativeMethods.LocalImage),
            Path = pathArgument.Pointer,
            Selection = tagArgument.Pointer,
            Platform = platformArgument.Pointer,
        };
        ErrorHandle.Check(NativeMethods.ManifestStartLocal(image, out IntPtr operation, out IntPtr error), error);
        return new OperationHandle(operation);
    }

    protected override bool ReleaseHandle()
    {
        NativeMethods.ManifestFree(handle);
        return true;
    }
}
