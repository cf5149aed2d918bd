using System;
using System.Runtime.InteropServices;
using System.Text;

namespace WslImage.Native;

/// <summary>
/// The C ABI of the native library (include/wslimage.h). The functions themselves stand in NativeMethods.Core.cs and
/// NativeMethods.Framework.cs, one for each way of binding, with the same signatures.
/// </summary>
internal static unsafe partial class NativeMethods
{
    internal const uint AbiVersion = 3;

    internal const int StatusOk = 0;

    internal const uint NoticeKindWarning = 2;

    private static readonly object _gate = new();
    private static IntPtr _library;

    /// <summary>Called on the thread that runs the operation; nonzero cancels. Must not throw.</summary>
    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    internal delegate int ProgressCallback(IntPtr userdata, in Progress progress);

    /// <summary>
    /// Loads the library at its first use and checks that it speaks this ABI. It is never unloaded: its threads may
    /// still run, and the next import of the module uses it again.
    /// </summary>
    /// <exception cref="FailureException">
    /// There is none for this process, it does not load, or it has another ABI.
    /// </exception>
    internal static void EnsureLoaded()
    {
        lock (_gate)
        {
            if (_library != IntPtr.Zero)
            {
                return;
            }
            IntPtr library = NativeLibraryFile.Load();
            IntPtr function = NativeLibraryFile.Function(library, "wslimage_abi_version");
            var abiVersion = (delegate* unmanaged[Cdecl]<uint>)function;
            if (abiVersion is null)
            {
                throw Failure.LibraryNotUsable(
                    $"{NativeLibraryFile.Path} is not the native library of this module: it tells no ABI version.");
            }
            uint version = abiVersion();
            if (version != AbiVersion)
            {
                throw Failure.LibraryNotUsable(
                    $"The native library {NativeLibraryFile.Path} has ABI version {version}, and this module needs "
                    + $"version {AbiVersion}: reinstall the module, so that both are of one release.");
            }
            _library = library;
        }
    }

    /// <summary>Text that the native library owns, read before its owner is freed.</summary>
    internal static string? Text(IntPtr text)
    {
        if (text == IntPtr.Zero)
        {
            return null;
        }
        byte* bytes = (byte*)text;
        int length = 0;
        while (bytes[length] != 0)
        {
            length++;
        }
        return Encoding.UTF8.GetString(bytes, length);
    }

    /// <summary>Text of a known length that the native library owns.</summary>
    internal static string Text(IntPtr text, UIntPtr length) =>
        text == IntPtr.Zero ? string.Empty : Encoding.UTF8.GetString((byte*)text, checked((int)length));

    [StructLayout(LayoutKind.Sequential)]
    internal struct ClientOptions
    {
        internal UIntPtr Size;
        internal IntPtr Username;
        internal IntPtr Password;
        internal IntPtr CACertificatePath;
        internal IntPtr UserAgent;
        // C's bool is one byte; the marshaller's would be four.
        internal byte SkipCertificateCheck;
        internal byte PlainHttp;
        internal IntPtr Environment;
        internal uint ConnectTimeoutMs;
        internal uint StallTimeoutMs;
        internal uint MaximumRetries;
        internal byte NoRetry;
        internal ulong MaximumWaitMs;
        internal uint MaximumConnections;
        internal IntPtr ProxyUrl;
        internal IntPtr ProxyUsername;
        internal IntPtr ProxyPassword;
        internal byte ProxyUseDefaultCredentials;
        internal byte NoProxy;
        internal IntPtr Mirrors;
        internal IntPtr CachePath;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct Image
    {
        internal UIntPtr Size;
        internal IntPtr Registry;
        internal IntPtr Name;
        internal IntPtr Tag;
        internal IntPtr Platform;
        internal IntPtr AuthToken;
        internal IntPtr DefaultRegistry;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct LocalImage
    {
        internal UIntPtr Size;
        internal IntPtr Path;
        internal IntPtr Selection;
        internal IntPtr Platform;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct PullOptions
    {
        internal UIntPtr Size;
        internal uint Format;
        internal ulong MaximumPlainSize;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct CacheFilter
    {
        internal UIntPtr Size;
        internal IntPtr Digest;
        internal long UnusedSinceMs;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct CacheRemoved
    {
        internal UIntPtr Size;
        internal ulong Count;
        internal ulong Bytes;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct Progress
    {
        internal UIntPtr Size;
        internal Stage Stage;
        internal uint LayerCount;
        internal uint Layer;
        internal ulong BytesDone;
        internal ulong BytesTotal;
        internal ulong NoticeCount;
        internal ulong BytesWritten;
        internal ulong BytesToWrite;
    }
}
