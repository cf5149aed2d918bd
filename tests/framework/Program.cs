using System;
using System.IO;
using System.Reflection;

namespace WslImage.FrameworkTest;

/// <summary>Runs the checks on the module in the folder given, and ends in `N passed, N failed`.</summary>
internal static class Program
{
    private static int Main(string[] arguments)
    {
        // From its place in the module: it finds the native library from there.
        string assembly = Path.Combine(Path.GetFullPath(arguments[0]), "bin", "net472", "WslImage.dll");
        AppDomain.CurrentDomain.AssemblyResolve += (_, wanted) =>
            new AssemblyName(wanted.Name).Name == "WslImage" ? Assembly.LoadFrom(assembly) : null;
        return Checks.Run();
    }
}
