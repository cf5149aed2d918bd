using System.Runtime.InteropServices;

namespace WslImage;

/// <summary>What this machine is.</summary>
internal static class Machine
{
    /// <summary>
    /// Whether its WSL runs ARM64 distributions. An x64 PowerShell on such a machine may be told by Windows that it is an
    /// x64 one. Tests set it.
    /// </summary>
    internal static bool IsArm64 { get; set; } =
        RuntimeInformation.OSArchitecture == Architecture.Arm64
        || RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
}
