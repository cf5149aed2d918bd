using System;
using System.Collections.Generic;
using System.Linq;
using System.Management.Automation;
using WslImage.Native;

namespace WslImage;

/// <summary>Removes what the cache holds: all of it, by digest, or what nobody has used for long.</summary>
[Cmdlet(
    VerbsCommon.Clear,
    "WslImageCache",
    DefaultParameterSetName = AllSet,
    SupportsShouldProcess = true,
    ConfirmImpact = ConfirmImpact.Medium)]
[OutputType(typeof(void))]
public sealed class ClearWslImageCacheCommand : CacheCmdlet
{
    private const string AllSet = "All";
    private const string DigestSet = "Digest";
    private const string UnusedSinceSet = "UnusedSince";

    /// <summary>The blobs of these digests only.</summary>
    [Parameter(Mandatory = true, ParameterSetName = DigestSet, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public string[]? Digest { get; set; }

    /// <summary>Those only that nobody has used since this time, or for this long.</summary>
    [Parameter(Mandatory = true, ParameterSetName = UnusedSinceSet)]
    [TimeOrAge]
    public DateTime UnusedSince { get; set; }

    /// <summary>Clears one cache, or removes what came by the pipeline from it.</summary>
    protected override void ProcessRecord() => Guard(() =>
    {
        string folder = CacheFolder();
        using CacheHandle cache = Open(folder);
        if (ParameterSetName == DigestSet)
        {
            foreach (string digest in Digest!)
            {
                if (ShouldProcess(folder, $"Remove {digest} from the cache"))
                {
                    Report(cache.Remove(digest, null));
                }
            }
            return;
        }
        DateTime? unusedSince = ParameterSetName == UnusedSinceSet ? UnusedSince : null;
        List<CacheEntry> entries = cache.Entries();
        entries.RemoveAll(entry => entry.LastUsed >= unusedSince);
        string size = ByteSize.Format(entries.Sum(entry => (double)entry.Size));
        if (ShouldProcess(folder, $"Remove {entries.Count} of the files in the cache ({size})"))
        {
            Report(cache.Remove(null, unusedSince));
        }
    });

    private void Report(NativeMethods.CacheRemoved removed) =>
        WriteVerbose($"Removed {removed.Count} of the files in the cache ({ByteSize.Format(removed.Bytes)}).");
}
