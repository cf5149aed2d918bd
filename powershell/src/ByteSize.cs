using System.Globalization;

namespace WslImage;

/// <summary>Sizes as people read them.</summary>
internal static class ByteSize
{
    private const double Kilo = 1024;
    private const double Mega = Kilo * 1024;
    private const double Giga = Mega * 1024;

    /// <summary>A number of bytes as the original commands write it: 736.0 MB, and exactly 1024 as 1024 B.</summary>
    internal static string Format(double bytes) => bytes switch
    {
        > Giga => Scaled(bytes / Giga, "GB"),
        > Mega => Scaled(bytes / Mega, "MB"),
        > Kilo => Scaled(bytes / Kilo, "KB"),
        _ => bytes.ToString("0", CultureInfo.InvariantCulture) + " B",
    };

    private static string Scaled(double value, string unit) =>
        string.Format(CultureInfo.CurrentCulture, "{0:n1} {1}", value, unit);
}
