using System;
using System.Collections;
using System.Globalization;
using System.Management.Automation;

namespace WslImage;

/// <summary>The config of an image and its layer, as nested Hashtables.</summary>
internal static class ImageMetadata
{
    /// <summary>
    /// Reads JSON by the engine's own ConvertFrom-Json, so each edition gives the types that its users know: a date
    /// is a DateTime in PowerShell 7 and a string in 5.1, an integer a long or an int.
    /// </summary>
    /// <param name="configJson">The config, in which no key is empty and no two keys differ only by case.</param>
    /// <param name="layerMediaType">Media type of the layer.</param>
    /// <param name="layerSize">Size of the layer in bytes.</param>
    /// <param name="layerDigest">Digest of the layer.</param>
    internal static Hashtable Read(string configJson, string layerMediaType, ulong layerSize, string layerDigest)
    {
        // The size goes through ConvertFrom-Json too, for the same reason.
        string json = string.Format(
            CultureInfo.InvariantCulture, "{{\"config\":{0},\"size\":{1}}}", configJson, layerSize);
        PSObject parsed = ConvertFromJson(json);
        var metadata = (Hashtable)ToHashtable(parsed.Properties["config"].Value)!;
        metadata["mediaType"] = layerMediaType;
        metadata["size"] = ToHashtable(parsed.Properties["size"].Value);
        metadata["digest"] = layerDigest;
        return metadata;
    }

    private static PSObject ConvertFromJson(string json)
    {
        using var shell = PowerShell.Create(RunspaceMode.CurrentRunspace);
        shell.AddCommand(@"Microsoft.PowerShell.Utility\ConvertFrom-Json").AddParameter("InputObject", json);
        try
        {
            foreach (PSObject result in shell.Invoke())
            {
                return result;
            }
        }
        catch (RuntimeException exception) when (exception is not PipelineStoppedException)
        {
            throw Unreadable(exception.Message, exception);
        }
        Exception? reported = shell.Streams.Error.Count > 0 ? shell.Streams.Error[0].Exception : null;
        throw Unreadable(reported?.Message ?? "ConvertFrom-Json returned nothing", reported);
    }

    private static FailureException Unreadable(string reason, Exception? cause) =>
        Failure.Unexpected($"Failed to get manifest: the image config cannot be read: {reason}", cause);

    private static object? ToHashtable(object? value)
    {
        object? plain = value is PSObject wrapped ? wrapped.BaseObject : value;
        switch (plain)
        {
            case PSCustomObject:
                var table = new Hashtable(StringComparer.OrdinalIgnoreCase);
                foreach (PSPropertyInfo property in ((PSObject)value!).Properties)
                {
                    table[property.Name] = ToHashtable(property.Value);
                }
                return table;
            case object[] items:
                return Array.ConvertAll(items, ToHashtable);
            default:
                return plain;
        }
    }
}
