namespace WslImage.Native;

/// <summary>Which image, as the user named it; null for "not given".</summary>
internal sealed class ImageArguments
{
    internal ImageArguments(string registry, string nameParameter, string name)
    {
        Registry = registry;
        NameParameter = nameParameter;
        Name = name;
    }

    internal string Registry { get; }

    /// <summary>The parameter that the name comes from, for messages.</summary>
    internal string NameParameter { get; }

    internal string Name { get; }

    internal string? Tag { get; set; }

    internal string? Platform { get; set; }

    internal string? AuthToken { get; set; }
}
