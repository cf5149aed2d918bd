using System;
using System.Runtime.InteropServices;
using System.Security;
using System.Text;
using System.Threading;

namespace WslImage.Native;

/// <summary>
/// A string for the native library: UTF-8 with a NUL at its end in unmanaged memory, which is overwritten before it is
/// freed, for it may be a secret.
/// </summary>
internal sealed unsafe class Utf8Argument : SafeHandle
{
    private static readonly UTF8Encoding _strict =
        new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private int _length;

    internal Utf8Argument()
        : base(IntPtr.Zero, ownsHandle: true)
    {
    }

    public override bool IsInvalid => handle == IntPtr.Zero;

    /// <summary>Zero when the string was null, which the native library takes as "not given".</summary>
    internal IntPtr Pointer => handle;

    /// <param name="value">The string; null for "not given".</param>
    /// <param name="parameter">The parameter that it comes from, for the message.</param>
    /// <exception cref="FailureException">The string has a NUL or half a surrogate pair.</exception>
    internal static Utf8Argument From(string? value, string parameter)
    {
        var argument = new Utf8Argument();
        if (value is not null)
        {
            fixed (char* characters = value)
            {
                argument.Encode(characters, value.Length, parameter);
            }
        }
        return argument;
    }

    /// <inheritdoc cref="From(string, string)"/>
    internal static Utf8Argument From(SecureString? value, string parameter)
    {
        var argument = new Utf8Argument();
        if (value is null)
        {
            return argument;
        }
        IntPtr characters = Marshal.SecureStringToGlobalAllocUnicode(value);
        try
        {
            argument.Encode((char*)characters, value.Length, parameter);
        }
        finally
        {
            Marshal.ZeroFreeGlobalAllocUnicode(characters);
        }
        return argument;
    }

    protected override bool ReleaseHandle()
    {
        Overwrite((byte*)handle, _length);
        Marshal.FreeHGlobal(handle);
        return true;
    }

    private void Encode(char* characters, int count, string parameter)
    {
        for (int i = 0; i < count; i++)
        {
            if (characters[i] == '\0')
            {
                throw Failure.InvalidArgument($"The value of -{parameter} contains a NUL character.", parameter);
            }
        }
        try
        {
            _length = count == 0 ? 0 : _strict.GetByteCount(characters, count);
        }
        catch (EncoderFallbackException)
        {
            // Not as the cause: its text shows a part of the value, which may be a password.
            throw Failure.InvalidArgument(
                $"The value of -{parameter} contains half of a surrogate pair, which is no character.", parameter);
        }
        SetHandle(Marshal.AllocHGlobal(_length + 1));
        byte* bytes = (byte*)handle;
        if (count > 0)
        {
            _strict.GetBytes(characters, count, bytes, _length);
        }
        bytes[_length] = 0;
    }

    private static void Overwrite(byte* bytes, int count)
    {
        for (int i = 0; i < count; i++)
        {
            Volatile.Write(ref bytes[i], 0);
        }
    }
}
