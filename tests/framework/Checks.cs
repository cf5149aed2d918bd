using System;
using System.IO;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Threading;
using WslImage.Native;

namespace WslImage.FrameworkTest;

/// <summary>What the commands do with the native library, each once.</summary>
internal static class Checks
{
    private static readonly string _folder =
        Path.Combine(Path.GetTempPath(), "wslimage-framework-" + Guid.NewGuid().ToString("N"));

    internal static int Run()
    {
        int passed = 0;
        int failed = 0;
        Directory.CreateDirectory(_folder);
        try
        {
            NativeMethods.EnsureLoaded();
            foreach ((string name, Action check) in new (string, Action)[]
            {
                ("an image comes with its progress, on the thread that asked", Pull),
                ("what the callback throws ends the job and comes out", ThrowInCallback),
                ("a job that stalls is cancelled from another thread", CancelFromElsewhere),
                ("an error has its kind, its status and its message", Error),
                ("an option that cannot be used is refused", RefuseOption),
                ("half a surrogate pair is refused before it becomes another letter", RefuseSurrogate),
                ("a 32-bit process is told in one sentence", Refuse32Bit),
                ("what nobody disposes of is freed by the collector", Collect),
            })
            {
                try
                {
                    check();
                    passed++;
                    Console.WriteLine($"ok: {name}");
                }
                catch (Exception exception)
                {
                    failed++;
                    Console.WriteLine($"failed: {name}: {exception}");
                }
            }
        }
        finally
        {
            Directory.Delete(_folder, recursive: true);
        }
        Console.WriteLine($"{passed} passed, {failed} failed");
        return failed == 0 && passed > 0 ? 0 : 1;
    }

    private static void Pull()
    {
        byte[] layer = Sample(3_000_000);
        string repository = NewRepository();
        string digest = TestRegistry.AddImage(repository, layer);
        using ClientHandle client = NewClient();
        using ManifestHandle manifest = Manifest(client, repository);
        Expect(manifest.Layers.Single().Digest == digest, "the layer's digest");
        Expect(manifest.Layers.Single().Size == (ulong)layer.Length, "the layer's size");
        Expect(manifest.MetadataJson.StartsWith("{", StringComparison.Ordinal), "the config");

        string path = Path.Combine(_folder, "\u00C4\u4E2D \U0001F389.tar.gz");
        using OperationHandle operation = client.StartPull(manifest, new PullArguments("DestinationFile", path));
        int thread = Environment.CurrentManagedThreadId;
        int calls = 0;
        operation.Run(progress =>
        {
            calls++;
            Expect(Environment.CurrentManagedThreadId == thread, "the callback's thread");
            Expect(progress.BytesDone <= progress.BytesTotal || progress.BytesTotal == 0, "no more than all bytes");
        });
        Expect(calls > 0, "a call");
        using FileHandle file = operation.TakeFile();
        Expect(file.Digest == digest && file.Size == (ulong)layer.Length, "what the job tells");
        using var sha256 = SHA256.Create();
        string actual = BitConverter.ToString(sha256.ComputeHash(File.ReadAllBytes(path))).Replace("-", "");
        Expect(digest.Equals("sha256:" + actual, StringComparison.OrdinalIgnoreCase), "the file's digest");
    }

    private static void ThrowInCallback()
    {
        (ClientHandle client, OperationHandle operation, string path) = Stalled();
        using (client)
        using (operation)
        {
            var thrown = new InvalidDataException("from the callback");
            InvalidDataException caught = Catch<InvalidDataException>(() => operation.Run(_ => throw thrown));
            Expect(ReferenceEquals(caught, thrown), "the same exception");
            Expect(!File.Exists(path), "no file");
        }
    }

    private static void CancelFromElsewhere()
    {
        (ClientHandle client, OperationHandle operation, string path) = Stalled();
        using (client)
        using (operation)
        {
            using var arrived = new ManualResetEventSlim();
            var other = new Thread(() =>
            {
                arrived.Wait();
                operation.Cancel();
            });
            other.Start();
            operation.Run(progress =>
            {
                if (progress.BytesDone > 0)
                {
                    arrived.Set();
                }
            });
            other.Join();
            FailureException failure = Catch<FailureException>(() => operation.TakeFile().Dispose());
            Expect(failure.Message.Length > 0, "a message");
            Expect(!File.Exists(path), "no file");
        }
    }

    private static void Error()
    {
        using ClientHandle client = NewClient();
        string repository = NewRepository();
        FailureException failure = Catch<FailureException>(() => Manifest(client, repository).Dispose());
        var exception = (WslImageDownloadException)failure.InnerException!;
        Expect(exception is WslImageSourceNotFoundException, "its class");
        Expect(exception.StatusCode == 404, "its status");
        Expect(exception.Message.Contains(repository), exception.Message);
    }

    private static void RefuseOption()
    {
        var arguments = new ClientArguments { CACertificatePath = Path.Combine(_folder, "there is none") };
        FailureException failure = Catch<FailureException>(() => ClientHandle.New(arguments).Dispose());
        Expect(failure.Message.Contains("there is none"), failure.Message);
    }

    private static void RefuseSurrogate()
    {
        using ClientHandle client = NewClient();
        _ = Catch<FailureException>(() => Manifest(client, "a\uD800b").Dispose());
    }

    private static void Refuse32Bit()
    {
        string refusal = NativeLibraryFile.Refusal(4, "x86") ?? string.Empty;
        Expect(refusal.Contains("64-bit PowerShell") && refusal.Contains("(x86)"), refusal);
        Expect(refusal.Count(letter => letter == '.') == 1, refusal);
        Expect(NativeLibraryFile.Refusal(8, "x64") is null, "64-bit ones are not refused");
    }

    private static void Collect()
    {
        string repository = NewRepository();
        TestRegistry.AddImage(repository, Sample(1000));
        var watched = new WeakReference[20];
        for (int i = 0; i < watched.Length; i++)
        {
            watched[i] = Abandon(repository);
        }
        // Each is found by one of a few collections; a stack may hold the last one.
        for (int i = 0; i < 10 && watched.Any(one => one.IsAlive); i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
        Expect(watched.Count(one => one.IsAlive) < watched.Length / 2, "most are collected");
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference Abandon(string repository)
    {
        ClientHandle client = NewClient();
        _ = client.StartManifest(new ImageArguments("ImageName", repository) { Registry = TestRegistry.Https });
        return new WeakReference(client);
    }

    private static (ClientHandle Client, OperationHandle Operation, string Path) Stalled()
    {
        string repository = NewRepository();
        string digest = TestRegistry.AddImage(repository, Sample(2_000_000));
        TestRegistry.Stall(repository, digest, 500_000);
        ClientHandle client = NewClient();
        using ManifestHandle manifest = Manifest(client, repository);
        string path = Path.Combine(_folder, Guid.NewGuid().ToString("N"));
        return (client, client.StartPull(manifest, new PullArguments("DestinationFile", path)), path);
    }

    private static ManifestHandle Manifest(ClientHandle client, string repository)
    {
        using OperationHandle operation =
            client.StartManifest(new ImageArguments("ImageName", repository) { Registry = TestRegistry.Https });
        operation.Run(_ => { });
        return operation.TakeManifest();
    }

    private static ClientHandle NewClient() =>
        ClientHandle.New(new ClientArguments
        {
            CACertificatePath = TestRegistry.CACertificatePath,
            Environment = [],
            NoRetry = true,
            NoProxy = true,
            MaximumConnections = 1,
        });

    private static string NewRepository() => "framework/image-" + Guid.NewGuid().ToString("N");

    /// <summary>Bytes that do not compress, the same for the same count.</summary>
    private static byte[] Sample(int count)
    {
        byte[] bytes = new byte[count];
        new Random(20240301).NextBytes(bytes);
        return bytes;
    }

    private static TException Catch<TException>(Action work)
        where TException : Exception
    {
        try
        {
            work();
        }
        catch (TException exception)
        {
            return exception;
        }
        throw new InvalidOperationException($"There was no {typeof(TException).Name}.");
    }

    private static void Expect(bool condition, string what)
    {
        if (!condition)
        {
            throw new InvalidOperationException($"Not as it should be: {what}");
        }
    }
}
