using System.Management.Automation;
using WslImage.Native;

namespace WslImage;

/// <summary>Returns what the cache holds, those used last first.</summary>
[Cmdlet(VerbsCommon.Get, "WslImageCache")]
[OutputType(typeof(CachedBlob))]
public sealed class GetWslImageCacheCommand : CacheCmdlet
{
    /// <summary>Lists one cache.</summary>
    protected override void ProcessRecord() => Guard(() =>
    {
        string folder = CacheFolder();
        using CacheHandle cache = Open(folder);
        foreach (CacheEntry entry in cache.Entries())
        {
            WriteObject(new CachedBlob(entry, folder));
        }
    });
}
