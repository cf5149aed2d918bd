namespace WslImage.Native;

/// <summary>What is to be made of an image.</summary>
internal sealed class PullArguments
{
    internal PullArguments(string destinationParameter, string destination)
    {
        DestinationParameter = destinationParameter;
        Destination = destination;
    }

    /// <summary>The parameter that the destination comes from, for messages.</summary>
    internal string DestinationParameter { get; }

    /// <summary>The file to write.</summary>
    internal string Destination { get; }

    internal ArchiveFormat Format { get; set; }

    /// <summary>The most bytes of all layers decompressed; 0 for the default.</summary>
    internal ulong MaximumPlainSize { get; set; }
}
