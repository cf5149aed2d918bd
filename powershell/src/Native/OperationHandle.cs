using System;
using System.Runtime.ExceptionServices;

namespace WslImage.Native;

/// <summary>A job that runs on threads of the native library. Freeing it cancels what still runs.</summary>
internal sealed unsafe class OperationHandle : NativeHandle
{
    internal OperationHandle(IntPtr handle)
        : base(handle)
    {
    }

    private delegate int TakeFunction(OperationHandle operation, out IntPtr result, out IntPtr error);

    internal NativeMethods.Progress Progress
    {
        get
        {
            var progress = new NativeMethods.Progress { Size = (UIntPtr)sizeof(NativeMethods.Progress) };
            ErrorHandle.Check(NativeMethods.OperationProgress(this, ref progress), IntPtr.Zero);
            return progress;
        }
    }

    /// <summary>
    /// Waits until the job has ended, however it ends; <paramref name="observe"/> is called on this thread as it goes
    /// on. What it throws cancels the job and is thrown again after the native call has returned.
    /// </summary>
    internal void Run(Action<NativeMethods.Progress> observe)
    {
        ExceptionDispatchInfo? thrown = null;
        NativeMethods.ProgressCallback callback = (IntPtr _, in NativeMethods.Progress progress) =>
        {
            try
            {
                if (thrown is null)
                {
                    observe(progress);
                }
            }
            catch (Exception exception)
            {
                // No exception may cross the native frames.
                thrown = ExceptionDispatchInfo.Capture(exception);
            }
            return thrown is null ? 0 : 1;
        };
        // Whether it failed or was cancelled is said again by the result.
        _ = NativeMethods.OperationRun(this, callback, IntPtr.Zero);
        GC.KeepAlive(callback);
        thrown?.Throw();
    }

    /// <summary>From any thread; returns at once, also when the job has ended.</summary>
    internal void Cancel() => _ = NativeMethods.OperationCancel(this);

    /// <summary>How many bytes of a layer have arrived.</summary>
    internal ulong LayerBytes(int index) => NativeMethods.OperationLayerBytes(this, (UIntPtr)(uint)index);

    /// <summary>A line worth showing, in the order in which they came, and the stage in which it was told.</summary>
    internal string? Notice(ulong index, out bool isWarning, out Stage stage)
    {
        string? text = NativeMethods.Text(NativeMethods.OperationNotice(this, index, out uint kind, out stage));
        isWarning = kind == NativeMethods.NoticeKindWarning;
        return text;
    }

    internal ManifestHandle TakeManifest() => new(TakeResult(NativeMethods.OperationTakeManifest));

    internal TagsHandle TakeTags() => new(TakeResult(NativeMethods.OperationTakeTags));

    internal TokenHandle TakeToken() => new(TakeResult(NativeMethods.OperationTakeToken));

    internal FileHandle TakeFile() => new(TakeResult(NativeMethods.OperationTakeFile));

    protected override bool ReleaseHandle()
    {
        NativeMethods.OperationFree(handle);
        return true;
    }

    private IntPtr TakeResult(TakeFunction take)
    {
        ErrorHandle.Check(take(this, out IntPtr result, out IntPtr error), error);
        return result;
    }
}
