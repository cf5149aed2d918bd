using System;

namespace WslImage.Native;

/// <summary>How registries are reached, and the tokens got so far.</summary>
internal sealed unsafe class ClientHandle : NativeHandle
{
    private ClientHandle(IntPtr handle)
        : base(handle)
    {
    }

    private delegate int StartFunction(
        ClientHandle client, in NativeMethods.Image image, out IntPtr operation, out IntPtr error);

    /// <summary>No client, which is enough for an image of a file or folder.</summary>
    internal static ClientHandle None() => new(IntPtr.Zero);

    /// <exception cref="FailureException">An option cannot be used.</exception>
    internal static ClientHandle New(ClientArguments arguments)
    {
        using var username = Utf8Argument.From(arguments.Credential?.UserName, nameof(arguments.Credential));
        using var password = Utf8Argument.From(arguments.Credential?.Password, nameof(arguments.Credential));
        using var caCertificatePath =
            Utf8Argument.From(arguments.CACertificatePath, nameof(arguments.CACertificatePath));
        using var userAgent = Utf8Argument.From(arguments.UserAgent, nameof(arguments.UserAgent));
        using var environment = Utf8ArgumentList.From(arguments.Environment, nameof(arguments.Environment));
        using var proxy = Utf8Argument.From(arguments.Proxy, nameof(arguments.Proxy));
        using var proxyUsername =
            Utf8Argument.From(arguments.ProxyCredential?.UserName, nameof(arguments.ProxyCredential));
        using var proxyPassword =
            Utf8Argument.From(arguments.ProxyCredential?.Password, nameof(arguments.ProxyCredential));
        using var mirrors = Utf8ArgumentList.From(arguments.Mirrors, "Mirror");
        using var cachePath = Utf8Argument.From(arguments.CachePath, nameof(arguments.CachePath));
        var options = new NativeMethods.ClientOptions
        {
            Size = (UIntPtr)sizeof(NativeMethods.ClientOptions),
            Username = username.Pointer,
            Password = password.Pointer,
            CACertificatePath = caCertificatePath.Pointer,
            UserAgent = userAgent.Pointer,
            SkipCertificateCheck = Byte(arguments.SkipCertificateCheck),
            PlainHttp = Byte(arguments.PlainHttp),
            Environment = environment.Pointer,
            ConnectTimeoutMs = arguments.ConnectTimeoutMs,
            StallTimeoutMs = arguments.StallTimeoutMs,
            MaximumRetries = arguments.MaximumRetries,
            NoRetry = Byte(arguments.NoRetry),
            MaximumWaitMs = arguments.MaximumWaitMs,
            MaximumConnections = arguments.MaximumConnections,
            ProxyUrl = proxy.Pointer,
            ProxyUsername = proxyUsername.Pointer,
            ProxyPassword = proxyPassword.Pointer,
            ProxyUseDefaultCredentials = Byte(arguments.ProxyUseDefaultCredentials),
            NoProxy = Byte(arguments.NoProxy),
            Mirrors = mirrors.Pointer,
            CachePath = cachePath.Pointer,
        };
        ErrorHandle.Check(NativeMethods.ClientNew(options, out IntPtr client, out IntPtr error), error);
        return new ClientHandle(client);
    }

    /// <summary>Starts to look up manifest and config.</summary>
    internal OperationHandle StartManifest(ImageArguments image) => Start(NativeMethods.ManifestStart, image);

    /// <summary>Starts to ask for the tags of a repository.</summary>
    internal OperationHandle StartTags(ImageArguments image) => Start(NativeMethods.TagsStart, image);

    /// <summary>Starts to ask for a token.</summary>
    internal OperationHandle StartToken(ImageArguments image) => Start(NativeMethods.TokenStart, image);

    /// <summary>Starts to make of an image a file.</summary>
    internal OperationHandle StartPull(ManifestHandle manifest, PullArguments arguments)
    {
        using var path = Utf8Argument.From(arguments.Destination, arguments.DestinationParameter);
        var options = new NativeMethods.PullOptions
        {
            Size = (UIntPtr)sizeof(NativeMethods.PullOptions),
            Format = (uint)arguments.Format,
            MaximumPlainSize = arguments.MaximumPlainSize,
        };
        ErrorHandle.Check(
            NativeMethods.PullStart(this, manifest, path, options, out IntPtr operation, out IntPtr error), error);
        return new OperationHandle(operation);
    }

    protected override bool ReleaseHandle()
    {
        NativeMethods.ClientFree(handle);
        return true;
    }

    private static byte Byte(bool value) => value ? (byte)1 : (byte)0;

    private OperationHandle Start(StartFunction start, ImageArguments arguments)
    {
        using var native = new NativeImage(arguments);
        ErrorHandle.Check(start(this, native.Image, out IntPtr operation, out IntPtr error), error);
        return new OperationHandle(operation);
    }
}
