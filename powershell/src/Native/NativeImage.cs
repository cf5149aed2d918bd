using System;

namespace WslImage.Native;

/// <summary>An image as the native library reads it, with the strings that it points to.</summary>
internal sealed unsafe class NativeImage : IDisposable
{
    private readonly Utf8Argument?[] _strings = new Utf8Argument?[6];

    /// <exception cref="FailureException">A string has a NUL or half a surrogate pair.</exception>
    internal NativeImage(ImageArguments arguments)
    {
        try
        {
            Image = new NativeMethods.Image
            {
                Size = (UIntPtr)sizeof(NativeMethods.Image),
                Registry = Pointer(0, arguments.Registry, nameof(arguments.Registry)),
                Name = Pointer(1, arguments.Name, arguments.NameParameter),
                Tag = Pointer(2, arguments.Tag, nameof(arguments.Tag)),
                Platform = Pointer(3, arguments.Platform, nameof(arguments.Platform)),
                AuthToken = Pointer(4, arguments.AuthToken, nameof(arguments.AuthToken)),
                DefaultRegistry = Pointer(5, arguments.DefaultRegistry, nameof(arguments.Registry)),
            };
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    internal NativeMethods.Image Image { get; }

    public void Dispose()
    {
        foreach (Utf8Argument? text in _strings)
        {
            text?.Dispose();
        }
    }

    private IntPtr Pointer(int index, string? value, string parameter)
    {
        var text = Utf8Argument.From(value, parameter);
        _strings[index] = text;
        return text.Pointer;
    }
}
