using WslImage.Native;

namespace WslImage;

/// <summary>The name of an image with the defaults filled in, in parts.</summary>
internal sealed class ResolvedName
{
    private ResolvedName(string registry, string repository, string version)
    {
        Registry = registry;
        Repository = repository;
        Version = version;
    }

    internal string Registry { get; }

    internal string Repository { get; }

    /// <summary>The digest where there is one, else the tag.</summary>
    internal string Version { get; }

    public override string ToString() => $"{Registry}/{Repository}:{Version}";

    /// <summary>
    /// The name that <paramref name="image"/> has. One that is not well formed is shown as it was given: what then
    /// looks the image up says what is wrong.
    /// </summary>
    internal static ResolvedName Of(ImageArguments image)
    {
        try
        {
            using var reference = ReferenceHandle.New(image);
            return new ResolvedName(reference.Registry, reference.Repository, reference.Version);
        }
        catch (FailureException)
        {
            return new ResolvedName(
                image.Registry ?? image.DefaultRegistry ?? string.Empty, image.Name, image.Tag ?? "latest");
        }
    }
}
