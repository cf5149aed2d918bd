using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;

namespace WslImage.Native;

/// <summary>Strings for the native library: an array of pointers with a null one at its end.</summary>
internal sealed class Utf8ArgumentList : IDisposable
{
    private readonly List<Utf8Argument> _elements = [];

    private Utf8ArgumentList()
    {
    }

    /// <summary>Zero when the list was null, which the native library takes as "not given".</summary>
    internal IntPtr Pointer { get; private set; }

    /// <param name="values">The strings; null for "not given".</param>
    /// <param name="parameter">The parameter that they come from, for the message.</param>
    /// <exception cref="FailureException">A string has a NUL or half a surrogate pair.</exception>
    internal static Utf8ArgumentList From(IReadOnlyList<string>? values, string parameter)
    {
        var list = new Utf8ArgumentList();
        if (values is null)
        {
            return list;
        }
        try
        {
            foreach (string value in values)
            {
                list._elements.Add(Utf8Argument.From(value ?? string.Empty, parameter));
            }
            list.Pointer = Marshal.AllocHGlobal((list._elements.Count + 1) * IntPtr.Size);
        }
        catch
        {
            list.Dispose();
            throw;
        }
        for (int i = 0; i < list._elements.Count; i++)
        {
            Marshal.WriteIntPtr(list.Pointer, i * IntPtr.Size, list._elements[i].Pointer);
        }
        Marshal.WriteIntPtr(list.Pointer, list._elements.Count * IntPtr.Size, IntPtr.Zero);
        return list;
    }

    public void Dispose()
    {
        Marshal.FreeHGlobal(Pointer);
        Pointer = IntPtr.Zero;
        foreach (Utf8Argument element in _elements)
        {
            element.Dispose();
        }
        _elements.Clear();
    }
}
