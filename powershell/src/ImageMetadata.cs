using System;
using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Management.Automation;
using WslImage.Native;

namespace WslImage;

/// <summary>The config of an image and its layers, as nested Hashtables.</summary>
internal static class ImageMetadata
{
    /// <summary>
    /// Reads JSON by the engine's own ConvertFrom-Json, so each edition gives the types that its users know: a date
    /// is a DateTime in PowerShell 7 and a string in 5.1, an integer a long or an int.
    /// </summary>
    internal static Hashtable Read(ManifestHandle manifest)
    {
        IReadOnlyList<Layer> layers = manifest.Layers;
        decimal size = layers.Sum(layer => (decimal)layer.Size);
        // Sizes go through ConvertFrom-Json too, for the same reason. In the metadata no key is empty and no two keys
        // differ only by case.
        string json = string.Format(
            CultureInfo.InvariantCulture,
            "{{\"config\":{0},\"size\":{1},\"sizes\":[{2}]}}",
            manifest.MetadataJson,
            size,
            string.Join(",", layers.Select(layer => layer.Size.ToString(CultureInfo.InvariantCulture))));
        PSObject parsed = ConvertFromJson(json);
        var metadata = (Hashtable)ToHashtable(parsed.Properties["config"].Value)!;
        if (layers.Count == 1)
        {
            metadata["mediaType"] = layers[0].MediaType;
            metadata["digest"] = layers[0].Digest;
        }
        else
        {
            var sizes = (object?[])ToHashtable(parsed.Properties["sizes"].Value)!;
            metadata["mediaType"] = manifest.MediaType;
            metadata["digest"] = manifest.Digest;
            metadata["layers"] = layers.Select((layer, index) => Describe(layer, sizes[index])).ToArray<object>();
        }
        metadata["size"] = ToHashtable(parsed.Properties["size"].Value);
        return metadata;
    }

    private static Hashtable Describe(Layer layer, object? size) => new(StringComparer.OrdinalIgnoreCase)
    {
        ["mediaType"] = layer.MediaType,
        ["size"] = size,
        ["digest"] = layer.Digest,
    };

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
