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

    internal static ClientHandle New(
        Utf8Argument username,
        Utf8Argument password,
        Utf8Argument caCertificatePath,
        Utf8Argument userAgent,
        bool skipCertificateCheck,
        bool plainHttp)
    {
        var options = new NativeMethods.ClientOptions
        {
            Size = (UIntPtr)sizeof(NativeMethods.ClientOptions),
            Username = username.Pointer,
            Password = password.Pointer,
            CACertificatePath = caCertificatePath.Pointer,
            UserAgent = userAgent.Pointer,
            SkipCertificateCheck = skipCertificateCheck ? (byte)1 : (byte)0,
            PlainHttp = plainHttp ? (byte)1 : (byte)0,
        };
        ErrorHandle.Check(NativeMethods.ClientNew(options, out IntPtr client, out IntPtr error), error);
        return new ClientHandle(client);
    }

    /// <summary>Starts to look up manifest and config.</summary>
    internal OperationHandle StartManifest(ImageArguments image) => Start(NativeMethods.ManifestStart, image);

    /// <summary>Starts to ask for a token.</summary>
    internal OperationHandle StartToken(ImageArguments image) => Start(NativeMethods.TokenStart, image);

    /// <summary>Starts to fetch the layer into a file.</summary>
    internal OperationHandle StartPull(ManifestHandle manifest, string destinationPath, string parameter)
    {
        using var path = Utf8Argument.From(destinationPath, parameter);
        ErrorHandle.Check(
            NativeMethods.PullStart(this, manifest, path, out IntPtr operation, out IntPtr error), error);
        return new OperationHandle(operation);
    }

    protected override bool ReleaseHandle()
    {
        NativeMethods.ClientFree(handle);
        return true;
    }

    private OperationHandle Start(StartFunction start, ImageArguments arguments)
    {
        using var registry = Utf8Argument.From(arguments.Registry, nameof(arguments.Registry));
        using var name = Utf8Argument.From(arguments.Name, arguments.NameParameter);
        using var tag = Utf8Argument.From(arguments.Tag, nameof(arguments.Tag));
        using var platform = Utf8Argument.From(arguments.Platform, nameof(arguments.Platform));
        using var authToken = Utf8Argument.From(arguments.AuthToken, nameof(arguments.AuthToken));
        var image = new NativeMethods.Image
        {
            Size = (UIntPtr)sizeof(NativeMethods.Image),
            Registry = registry.Pointer,
            Name = name.Pointer,
            Tag = tag.Pointer,
            Platform = platform.Pointer,
            AuthToken = authToken.Pointer,
        };
        ErrorHandle.Check(start(this, image, out IntPtr operation, out IntPtr error), error);
        return new OperationHandle(operation);
    }
}
