namespace WslImage.Native;

/// <summary>Which image, as the user named it; null for "not given".</summary>
internal sealed class ImageArguments
{
    internal ImageArguments(string nameParameter, string name)
    {
        NameParameter = nameParameter;
        Name = name;
    }

    internal string? Registry { get; set; }

    /// <summary>The registry where neither <see cref="Registry"/> nor <see cref="Name"/> says one.</summary>
    internal string? DefaultRegistry { get; set; }

    /// <summary>The parameter that the name comes from, for messages.</summary>
    internal string NameParameter { get; }

    /// <summary>A repository, or a whole reference.</summary>
    internal string Name { get; }

    internal string? Tag { get; set; }

    internal string? Platform { get; set; }

    internal string? AuthToken { get; set; }
}
