using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using WslImage.Native;

namespace WslImage;

/// <summary>Makes of an image one archive that wsl --import takes, verified, and returns the hex of its SHA-256.</summary>
[Cmdlet(VerbsCommon.Get, "DockerImage", DefaultParameterSetName = RegistrySet, SupportsShouldProcess = true)]
[OutputType(typeof(string))]
public sealed class GetDockerImageCommand : RegistryCmdlet
{
    private string? _subject;

    /// <summary>The repository, such as owner/name, or a whole reference such as docker.io/library/alpine:3.20.</summary>
    [Parameter(Mandatory = true, Position = 0, ParameterSetName = RegistrySet)]
    public string ImageName { get; set; } = string.Empty;

    /// <summary>An OCI image layout, as a folder or an archive, or what docker save or podman save has written.</summary>
    [Parameter(Mandatory = true, ParameterSetName = PathSet)]
    [ValidateNotNullOrEmpty]
    public string Path { get; set; } = string.Empty;

    /// <summary>The tag, or a digest such as sha256:…; latest where the name has none either.</summary>
    [Parameter(Position = 1)]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(TagCompleter))]
    public string? Tag { get; set; }

    /// <summary>The file to write.</summary>
    [Parameter(Mandatory = true, Position = 2)]
    public string DestinationFile { get; set; } = string.Empty;

    /// <summary>The registry: a host with an optional port.</summary>
    [Parameter(Position = 3, ParameterSetName = RegistrySet)]
    public string? Registry { get; set; } = DefaultRegistry;

    /// <summary>What the file is written as.</summary>
    [Parameter]
    public ArchiveFormat Format { get; set; } = ArchiveFormat.TarGz;

    /// <summary>The most bytes that all layers may have together when they are decompressed; 256 GiB when not given.</summary>
    [Parameter]
    [ValidateRange(1, long.MaxValue)]
    public long MaximumUncompressedSize { get; set; }

    private protected override string Subject => _subject ?? ImageName;

    private protected override void Execute()
    {
        if (Machine.IsArm64 && !IsBound(nameof(Platform)))
        {
            WriteWarning(
                "This is an ARM64 machine, and the image for linux/amd64 is taken, which will not start in its WSL: "
                + "-Platform linux/arm64 asks for the other one.");
        }
        if (ParameterSetName == PathSet)
        {
            ReadImage();
        }
        else
        {
            DownloadImage();
        }
    }

    private static string HexOf(string digest) => digest.Substring(digest.IndexOf(':') + 1);

    private void DownloadImage()
    {
        ImageArguments image = NewImage(nameof(ImageName), ImageName, Registry, Tag);
        var name = ResolvedName.Of(image);
        _subject = name.ToString();
        WriteWorking($"Downloading Docker image layer from {name}...");
        string destination = ResolveFile(DestinationFile, nameof(DestinationFile));

        using ClientHandle client = NewClient();
        using ManifestHandle manifest =
            GetManifest(client, image, () => WriteRetrieving(name, name.Repository));
        IReadOnlyList<Layer> layers = manifest.Layers;
        if (!ShouldProcess(destination, Describe("Download", manifest, layers)))
        {
            return;
        }
        WriteFact($"{Facts(manifest, layers)} Downloading...");
        using FileHandle file = Pull(client, manifest, layers, destination, $"Downloading {manifest.Name}");
        string what = layers.Count == 1 ? "Docker image layer" : "Docker image";
        WriteSuccess(
            $"Successfully downloaded {what} to {destination}. File size: {ByteSize.Format(file.Size)}");
        WriteObject(HexOf(file.Digest));
    }

    private void ReadImage()
    {
        string source = ResolveFile(Path, nameof(Path));
        _subject = source;
        WriteWorking($"Reading Docker image from {source}...");
        string destination = ResolveFile(DestinationFile, nameof(DestinationFile));

        using ManifestHandle manifest = GetLocalManifest(source, Tag);
        IReadOnlyList<Layer> layers = manifest.Layers;
        if (!ShouldProcess(destination, Describe("Write", manifest, layers)))
        {
            return;
        }
        WriteFact($"{Facts(manifest, layers)} Writing...");
        using var noClient = ClientHandle.None();
        using FileHandle file = Pull(noClient, manifest, layers, destination, $"Reading {manifest.Name}");
        WriteSuccess($"Successfully wrote Docker image to {destination}. File size: {ByteSize.Format(file.Size)}");
        WriteObject(HexOf(file.Digest));
    }

    /// <summary>What -WhatIf and -Confirm say.</summary>
    private static string Describe(string verb, ManifestHandle manifest, IReadOnlyList<Layer> layers)
    {
        string what = $"{manifest.Name} for {manifest.Platform}";
        if (layers.Count == 1)
        {
            return $"{verb} layer {layers[0].Digest} ({ByteSize.Format(layers[0].Size)}) of {what}";
        }
        string sizes = string.Join(" + ", layers.Select(layer => ByteSize.Format(layer.Size)));
        return $"{verb} {layers.Count} layers ({sizes} = {ByteSize.Format(TotalSize(layers))}) of {what}, "
            + $"manifest {manifest.Digest}";
    }

    private static string Facts(ManifestHandle manifest, IReadOnlyList<Layer> layers)
    {
        string size = ByteSize.Format(TotalSize(layers));
        return layers.Count == 1
            ? $"Root filesystem size: {size}. Digest {layers[0].Digest}."
            : $"Root filesystem size: {size}, {layers.Count} layers. Digest {manifest.Digest}.";
    }

    private static double TotalSize(IReadOnlyList<Layer> layers) => layers.Sum(layer => (double)layer.Size);

    private FileHandle Pull(
        ClientHandle client,
        ManifestHandle manifest,
        IReadOnlyList<Layer> layers,
        string destination,
        string activity)
    {
        var bars = new DownloadProgress(activity, $"Writing {destination}", layers);
        var arguments = new PullArguments(nameof(DestinationFile), destination)
        {
            Format = Format,
            MaximumPlainSize = (ulong)MaximumUncompressedSize,
        };
        using OperationHandle operation = client.StartPull(manifest, arguments);
        try
        {
            Run(operation, progress => Show(bars.Next(progress, operation.LayerBytes)));
        }
        finally
        {
            if (!Stopping)
            {
                Show(bars.Last());
            }
        }
        return operation.TakeFile();
    }

    private void Show(List<ProgressRecord> records)
    {
        foreach (ProgressRecord record in records)
        {
            WriteProgress(record);
        }
    }
}
