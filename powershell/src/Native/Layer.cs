namespace WslImage.Native;

/// <summary>A layer of an image, as the manifest describes it.</summary>
internal sealed class Layer
{
    internal Layer(string mediaType, string digest, ulong size)
    {
        MediaType = mediaType;
        Digest = digest;
        Size = size;
    }

    internal string MediaType { get; }

    internal string Digest { get; }

    /// <summary>In bytes.</summary>
    internal ulong Size { get; }
}
