using System;

namespace WslImage.Native;

/// <summary>Times as the native library tells them: milliseconds since 1970-01-01 00:00 UTC.</summary>
internal static class UnixTime
{
    private static readonly DateTime _epoch = new(1970, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    internal static DateTime ToLocal(long milliseconds) => _epoch.AddMilliseconds(milliseconds).ToLocalTime();

    /// <summary>Never 0, which the native library takes as "not given".</summary>
    internal static long From(DateTime time)
    {
        long milliseconds = (long)(time.ToUniversalTime() - _epoch).TotalMilliseconds;
        return milliseconds == 0 ? 1 : milliseconds;
    }
}
