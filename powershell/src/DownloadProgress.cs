using System;
using System.Diagnostics;
using System.Management.Automation;
using WslImage.Native;

namespace WslImage;

/// <summary>Turns the progress of a download into the records that are worth drawing: at most five a second.</summary>
internal sealed class DownloadProgress
{
    // Windows PowerShell draws every record that it gets; PowerShell 7 draws at most five a second.
    private static readonly TimeSpan _interval = TimeSpan.FromMilliseconds(200);

    // How far back the rate looks.
    private static readonly TimeSpan _memory = TimeSpan.FromSeconds(3);

    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly string _activity;
    private Stage _shownStage;
    private TimeSpan _shownAt;
    private ulong _shownBytes;
    private double _bytesPerSecond;

    internal DownloadProgress(string activity)
    {
        _activity = activity;
    }

    /// <summary>The next record to draw; null when it is too early for one.</summary>
    internal ProgressRecord? Next(in NativeMethods.Progress progress)
    {
        TimeSpan now = _clock.Elapsed;
        if (progress.Stage is not (Stage.Downloading or Stage.Finishing)
            || (progress.Stage == _shownStage && now - _shownAt < _interval))
        {
            return null;
        }
        if (_shownStage == Stage.Downloading)
        {
            UpdateRate(progress.BytesDone, (now - _shownAt).TotalSeconds);
        }
        _shownStage = progress.Stage;
        _shownAt = now;
        _shownBytes = progress.BytesDone;
        return Describe(progress);
    }

    /// <summary>The last record, which takes the bar away; null when there was none before.</summary>
    internal ProgressRecord? Last() => _shownStage == Stage.Starting
        ? null
        : new ProgressRecord(0, _activity, " ") { RecordType = ProgressRecordType.Completed };

    private void UpdateRate(ulong bytesDone, double seconds)
    {
        if (seconds <= 0 || bytesDone < _shownBytes)
        {
            return;
        }
        double current = (bytesDone - _shownBytes) / seconds;
        double weight = _bytesPerSecond > 0 ? 1 - Math.Exp(-seconds / _memory.TotalSeconds) : 1;
        _bytesPerSecond += (current - _bytesPerSecond) * weight;
    }

    private ProgressRecord Describe(in NativeMethods.Progress progress)
    {
        bool isTotalKnown = progress.BytesTotal > 0;
        double fraction = isTotalKnown ? Math.Min(1, (double)progress.BytesDone / progress.BytesTotal) : 0;
        string status = ByteSize.Format(progress.BytesDone);
        if (isTotalKnown)
        {
            status += $" of {ByteSize.Format(progress.BytesTotal)}";
        }
        if (_bytesPerSecond > 0)
        {
            status += $", {ByteSize.Format(_bytesPerSecond)}/s";
        }
        var record = new ProgressRecord(0, _activity, status);
        if (isTotalKnown)
        {
            record.PercentComplete = (int)(fraction * 100);
        }
        if (isTotalKnown && _bytesPerSecond > 0)
        {
            double seconds = progress.BytesTotal * (1 - fraction) / _bytesPerSecond;
            record.SecondsRemaining = (int)Math.Min(int.MaxValue, Math.Ceiling(seconds));
        }
        return record;
    }
}
