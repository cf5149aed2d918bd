using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Management.Automation;
using WslImage.Native;

namespace WslImage;

/// <summary>
/// Turns the progress of a job into the records that are worth drawing, at most five times a second: a bar for the whole,
/// and under it one for each of several layers while it arrives.
/// </summary>
internal sealed class DownloadProgress
{
    // Windows PowerShell draws every record that it gets; PowerShell 7 draws at most five times a second.
    private static readonly TimeSpan _interval = TimeSpan.FromMilliseconds(200);

    // How far back the rate looks.
    private static readonly TimeSpan _memory = TimeSpan.FromSeconds(3);

    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly string _activity;
    private readonly string _writing;
    private readonly LayerBar[] _layers;
    private Phase _phase;
    private TimeSpan _shownAt;
    private ulong _shownBytes;
    private double _bytesPerSecond;

    /// <param name="activity">What the bar says while layers arrive.</param>
    /// <param name="writing">What it says while an archive is made of them.</param>
    /// <param name="layers">The layers of the image.</param>
    internal DownloadProgress(string activity, string writing, IReadOnlyList<Layer> layers)
    {
        _activity = activity;
        _writing = writing;
        _layers = new LayerBar[layers.Count > 1 ? layers.Count : 0];
        for (int i = 0; i < _layers.Length; i++)
        {
            _layers[i] = new LayerBar(layers[i], i, layers.Count);
        }
    }

    private enum Phase
    {
        Nothing,
        Downloading,
        Writing,
        Finishing,
    }

    /// <summary>The next records to draw; none when it is too early for them.</summary>
    internal List<ProgressRecord> Next(in NativeMethods.Progress progress, Func<int, ulong> bytesOfLayer)
    {
        List<ProgressRecord> records = [];
        TimeSpan now = _clock.Elapsed;
        Phase phase = PhaseOf(progress);
        if (phase == Phase.Nothing || (phase == _phase && now - _shownAt < _interval))
        {
            return records;
        }
        bool isWriting = phase == Phase.Writing;
        ulong done = isWriting ? progress.BytesWritten : progress.BytesDone;
        ulong total = isWriting ? progress.BytesToWrite : progress.BytesTotal;
        if (isWriting != (_phase == Phase.Writing))
        {
            _bytesPerSecond = 0;
        }
        else if (_phase is not Phase.Nothing and not Phase.Finishing)
        {
            UpdateRate(done, (now - _shownAt).TotalSeconds);
        }
        _phase = phase;
        _shownAt = now;
        _shownBytes = done;
        records.Add(Describe(done, total));
        foreach (LayerBar layer in _layers)
        {
            records.AddRange(phase == Phase.Downloading ? layer.Next(bytesOfLayer(layer.Index)) : layer.Last());
        }
        return records;
    }

    /// <summary>The last records, which take the bars away; none when there were none before.</summary>
    internal List<ProgressRecord> Last()
    {
        List<ProgressRecord> records = [];
        foreach (LayerBar layer in _layers)
        {
            records.AddRange(layer.Last());
        }
        if (_phase != Phase.Nothing)
        {
            records.Add(new ProgressRecord(0, _activity, " ") { RecordType = ProgressRecordType.Completed });
        }
        return records;
    }

    private static Phase PhaseOf(in NativeMethods.Progress progress) => progress.Stage switch
    {
        Stage.Downloading => Phase.Downloading,
        Stage.Finishing => progress.BytesToWrite > 0 ? Phase.Writing : Phase.Finishing,
        _ => Phase.Nothing,
    };

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

    private ProgressRecord Describe(ulong done, ulong total)
    {
        bool isTotalKnown = total > 0;
        double fraction = isTotalKnown ? Math.Min(1, (double)done / total) : 0;
        string status = ByteSize.Format(done);
        if (isTotalKnown)
        {
            // How long an archive becomes shows when it is complete.
            status += $" of {(_phase == Phase.Writing ? "about " : string.Empty)}{ByteSize.Format(total)}";
        }
        if (_bytesPerSecond > 0)
        {
            status += $", {ByteSize.Format(_bytesPerSecond)}/s";
        }
        var record = new ProgressRecord(0, _phase == Phase.Writing ? _writing : _activity, status);
        if (isTotalKnown)
        {
            record.PercentComplete = (int)(fraction * 100);
        }
        if (isTotalKnown && _bytesPerSecond > 0)
        {
            double seconds = total * (1 - fraction) / _bytesPerSecond;
            record.SecondsRemaining = (int)Math.Min(int.MaxValue, Math.Ceiling(seconds));
        }
        return record;
    }

    /// <summary>The bar of one layer: there from its first byte to its last.</summary>
    private sealed class LayerBar
    {
        private readonly Layer _layer;
        private readonly string _activity;
        private bool _isThere;
        private ulong _shownBytes;

        internal LayerBar(Layer layer, int index, int count)
        {
            _layer = layer;
            Index = index;
            _activity = $"Layer {index + 1} of {count}";
        }

        internal int Index { get; }

        internal IEnumerable<ProgressRecord> Next(ulong bytes)
        {
            if (bytes >= _layer.Size)
            {
                return Last();
            }
            if (bytes == _shownBytes)
            {
                return [];
            }
            _isThere = true;
            _shownBytes = bytes;
            string status = $"{ByteSize.Format(bytes)} of {ByteSize.Format(_layer.Size)}";
            return
            [
                new ProgressRecord(Index + 1, _activity, status)
                {
                    ParentActivityId = 0,
                    CurrentOperation = _layer.Digest,
                    PercentComplete = (int)(100 * ((double)bytes / _layer.Size)),
                },
            ];
        }

        internal IEnumerable<ProgressRecord> Last()
        {
            if (!_isThere)
            {
                return [];
            }
            _isThere = false;
            return
            [
                new ProgressRecord(Index + 1, _activity, " ")
                {
                    ParentActivityId = 0,
                    RecordType = ProgressRecordType.Completed,
                },
            ];
        }
    }
}
