using System;
using System.IO;
using System.Runtime.InteropServices;
#if NETFRAMEWORK
using System.ComponentModel;
#endif

namespace WslImage.Native;

/// <summary>Where the native library of this process lies in the module's folder, and how it is opened.</summary>
internal static class NativeLibraryFile
{
    /// <summary>runtimes/RID/native in the module's folder; this assembly lies in bin/FRAMEWORK beside it.</summary>
    /// <remarks>RIDs: https://learn.microsoft.com/dotnet/core/rid-catalog</remarks>
    internal static string Path { get; } = System.IO.Path.GetFullPath(System.IO.Path.Combine(
        System.IO.Path.GetDirectoryName(typeof(NativeLibraryFile).Assembly.Location)!,
        "..",
        "..",
        "runtimes",
        $"{OperatingSystemName}-{ArchitectureName}",
        "native",
        FileName));

    private static bool IsWindows => RuntimeInformation.IsOSPlatform(OSPlatform.Windows);

    private static bool IsMacOS => RuntimeInformation.IsOSPlatform(OSPlatform.OSX);

    private static string OperatingSystemName => IsWindows ? "win" : IsMacOS ? "osx" : "linux";

    // Of the process, not of the machine: an x64 PowerShell runs on ARM64 too, and loads x64 libraries only.
    private static string ArchitectureName =>
        RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();

    private static string FileName => IsWindows ? "wslimage.dll" : IsMacOS ? "libwslimage.dylib" : "libwslimage.so";

    /// <summary>Opens the library of this process.</summary>
    /// <exception cref="FailureException">With the file that was tried and why it failed.</exception>
    internal static IntPtr Load()
    {
        if (Refusal(IntPtr.Size, ArchitectureName) is string refusal)
        {
            throw Failure.LibraryNotUsable(refusal);
        }
        string reason = "there is no such file";
        IntPtr library = File.Exists(Path) ? Open(Path, out reason) : IntPtr.Zero;
        return library != IntPtr.Zero
            ? library
            : throw Failure.LibraryNotUsable(
                $"The native library of WslImage could not be loaded. Tried: {Path} ({reason}).");
    }

    /// <summary>Why there is no library for such a process; null where there may be one.</summary>
    internal static string? Refusal(int pointerSize, string architecture) =>
        pointerSize >= 8
            ? null
            : $"WslImage needs a 64-bit PowerShell, and this process ({architecture}) is a 32-bit one: on a 64-bit Windows "
                + "start the PowerShell that is not marked (x86).";

#if NETFRAMEWORK
    private const uint LoadLibrarySearchDllLoadDir = 0x100;
    private const uint LoadLibrarySearchSystem32 = 0x800;
    private const int RtldNow = 2;

    internal static IntPtr Function(IntPtr library, string name) =>
        IsWindows ? GetProcAddress(library, name) : dlsym(library, name);

    private static IntPtr Open(string path, out string reason)
    {
        if (IsWindows)
        {
            IntPtr library = LoadLibraryExW(path, IntPtr.Zero, LoadLibrarySearchDllLoadDir | LoadLibrarySearchSystem32);
            reason = OneLine(new Win32Exception(Marshal.GetLastWin32Error()).Message);
            return library;
        }
        IntPtr opened = dlopen(path, RtldNow);
        reason = opened == IntPtr.Zero ? OneLine(NativeMethods.Text(dlerror())) : string.Empty;
        return opened;
    }

    [DllImport("kernel32", ExactSpelling = true, CharSet = CharSet.Unicode, SetLastError = true)]
    private static extern IntPtr LoadLibraryExW(string path, IntPtr reserved, uint flags);

    [DllImport("kernel32", CharSet = CharSet.Ansi, BestFitMapping = false, ThrowOnUnmappableChar = true)]
    private static extern IntPtr GetProcAddress(IntPtr library, string name);

    // Mono runs this build where there is no Windows.
    [DllImport("libdl.so.2", CharSet = CharSet.Ansi, BestFitMapping = false, ThrowOnUnmappableChar = true)]
    private static extern IntPtr dlopen(string path, int flags);

    [DllImport("libdl.so.2", CharSet = CharSet.Ansi, BestFitMapping = false, ThrowOnUnmappableChar = true)]
    private static extern IntPtr dlsym(IntPtr library, string name);

    [DllImport("libdl.so.2")]
    private static extern IntPtr dlerror();
#else
    internal static IntPtr Function(IntPtr library, string name) =>
        NativeLibrary.TryGetExport(library, name, out IntPtr function) ? function : IntPtr.Zero;

    private static IntPtr Open(string path, out string reason)
    {
        try
        {
            reason = string.Empty;
            return NativeLibrary.Load(path);
        }
        catch (Exception exception) when (exception is DllNotFoundException or BadImageFormatException)
        {
            reason = OneLine(exception.Message);
            return IntPtr.Zero;
        }
    }
#endif

    // On Unix .NET puts advice for developers before what the loader said: the last line, which begins with the path.
    private static string OneLine(string? message)
    {
        string[] lines = (message ?? string.Empty).Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries);
        return lines.Length == 0
            ? "the loader gave no reason"
            : lines[lines.Length - 1].Replace(Path + ": ", string.Empty).Trim().TrimEnd('.');
    }
}
