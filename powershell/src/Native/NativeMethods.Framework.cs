#if NETFRAMEWORK
using System;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;

namespace WslImage.Native;

// DllImport finds a library by its bare name, and might bind one that another version of the module has loaded.
internal static partial class NativeMethods
{
    private static readonly ConcurrentDictionary<string, Delegate> _functions = new();

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate void FreeFunction(IntPtr handle);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate IntPtr PointerOf(SafeHandle handle);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate IntPtr PointerAt(SafeHandle handle, UIntPtr index);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate IntPtr BytesOf(SafeHandle handle, out UIntPtr length);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate ushort UInt16Of(SafeHandle handle);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate int Int32Of(SafeHandle handle);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate uint UInt32Of(SafeHandle handle);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate long Int64Of(SafeHandle handle);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate ulong UInt64Of(SafeHandle handle);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate UIntPtr SizeOf(SafeHandle handle);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate ulong UInt64At(SafeHandle handle, UIntPtr index);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate long Int64At(SafeHandle handle, UIntPtr index);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate int NewCache(SafeHandle path, out IntPtr cache, out IntPtr error);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate int RemoveFromCache(
        SafeHandle cache, in CacheFilter filter, ref CacheRemoved removed, out IntPtr error);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate int NewClient(in ClientOptions options, out IntPtr client, out IntPtr error);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate int NewReference(in Image image, out IntPtr reference, out IntPtr error);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate int StartForImage(SafeHandle client, in Image image, out IntPtr operation, out IntPtr error);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate int StartForLocalImage(in LocalImage image, out IntPtr operation, out IntPtr error);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate int StartPull(
        SafeHandle client,
        SafeHandle manifest,
        SafeHandle path,
        in PullOptions options,
        out IntPtr operation,
        out IntPtr error);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate int Run(SafeHandle operation, ProgressCallback callback, IntPtr userdata);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate int GetProgress(SafeHandle operation, ref Progress progress);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate IntPtr GetNotice(SafeHandle operation, ulong index, out uint kind, out Stage stage);

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    private delegate int Take(SafeHandle operation, out IntPtr result, out IntPtr error);

    internal static ErrorKind ErrorKindOf(ErrorHandle error) =>
        (ErrorKind)Function<UInt32Of>("wslimage_error_kind_of")(error);

    internal static Stage ErrorStage(ErrorHandle error) => (Stage)Function<UInt32Of>("wslimage_error_stage")(error);

    internal static IntPtr ErrorMessage(ErrorHandle error) => Function<PointerOf>("wslimage_error_message")(error);

    internal static ushort ErrorHttpStatus(ErrorHandle error) =>
        Function<UInt16Of>("wslimage_error_http_status")(error);

    internal static IntPtr ErrorRegistryCode(ErrorHandle error) =>
        Function<PointerOf>("wslimage_error_registry_code")(error);

    internal static long ErrorRetryAfterMs(ErrorHandle error) =>
        Function<Int64Of>("wslimage_error_retry_after_ms")(error);

    internal static IntPtr ErrorAdvice(ErrorHandle error) => Function<PointerOf>("wslimage_error_advice")(error);

    internal static IntPtr ErrorTarget(ErrorHandle error) => Function<PointerOf>("wslimage_error_target")(error);

    internal static IntPtr ErrorCause(ErrorHandle error, UIntPtr index) =>
        Function<PointerAt>("wslimage_error_cause")(error, index);

    internal static void ErrorFree(IntPtr error) => Function<FreeFunction>("wslimage_error_free")(error);

    internal static int ClientNew(in ClientOptions options, out IntPtr client, out IntPtr error) =>
        Function<NewClient>("wslimage_client_new")(options, out client, out error);

    internal static void ClientFree(IntPtr client) => Function<FreeFunction>("wslimage_client_free")(client);

    internal static int ReferenceNew(in Image image, out IntPtr reference, out IntPtr error) =>
        Function<NewReference>("wslimage_reference_new")(image, out reference, out error);

    internal static IntPtr ReferenceRegistry(ReferenceHandle reference) =>
        Function<PointerOf>("wslimage_reference_registry")(reference);

    internal static IntPtr ReferenceRepository(ReferenceHandle reference) =>
        Function<PointerOf>("wslimage_reference_repository")(reference);

    internal static IntPtr ReferenceVersion(ReferenceHandle reference) =>
        Function<PointerOf>("wslimage_reference_version")(reference);

    internal static void ReferenceFree(IntPtr reference) =>
        Function<FreeFunction>("wslimage_reference_free")(reference);

    internal static int ManifestStart(
        ClientHandle client, in Image image, out IntPtr operation, out IntPtr error) =>
        Function<StartForImage>("wslimage_manifest_start")(client, image, out operation, out error);

    internal static int ManifestStartLocal(in LocalImage image, out IntPtr operation, out IntPtr error) =>
        Function<StartForLocalImage>("wslimage_manifest_start_local")(image, out operation, out error);

    internal static int TokenStart(ClientHandle client, in Image image, out IntPtr operation, out IntPtr error) =>
        Function<StartForImage>("wslimage_token_start")(client, image, out operation, out error);

    internal static int TagsStart(
        ClientHandle client, in Image image, out IntPtr operation, out IntPtr error) =>
        Function<StartForImage>("wslimage_tags_start")(client, image, out operation, out error);

    internal static int PullStart(
        ClientHandle client,
        ManifestHandle manifest,
        Utf8Argument destinationPath,
        in PullOptions options,
        out IntPtr operation,
        out IntPtr error) =>
        Function<StartPull>("wslimage_pull_start")(
            client, manifest, destinationPath, options, out operation, out error);

    internal static int OperationRun(OperationHandle operation, ProgressCallback callback, IntPtr userdata) =>
        Function<Run>("wslimage_operation_run")(operation, callback, userdata);

    internal static int OperationCancel(OperationHandle operation) =>
        Function<Int32Of>("wslimage_operation_cancel")(operation);

    internal static int OperationProgress(OperationHandle operation, ref Progress progress) =>
        Function<GetProgress>("wslimage_operation_progress")(operation, ref progress);

    internal static ulong OperationLayerBytes(OperationHandle operation, UIntPtr index) =>
        Function<UInt64At>("wslimage_operation_layer_bytes")(operation, index);

    internal static IntPtr OperationNotice(
        OperationHandle operation, ulong index, out uint kind, out Stage stage) =>
        Function<GetNotice>("wslimage_operation_notice")(operation, index, out kind, out stage);

    internal static int OperationTakeManifest(OperationHandle operation, out IntPtr manifest, out IntPtr error) =>
        Function<Take>("wslimage_operation_take_manifest")(operation, out manifest, out error);

    internal static int OperationTakeTags(OperationHandle operation, out IntPtr tags, out IntPtr error) =>
        Function<Take>("wslimage_operation_take_tags")(operation, out tags, out error);

    internal static int OperationTakeToken(OperationHandle operation, out IntPtr token, out IntPtr error) =>
        Function<Take>("wslimage_operation_take_token")(operation, out token, out error);

    internal static int OperationTakeFile(OperationHandle operation, out IntPtr file, out IntPtr error) =>
        Function<Take>("wslimage_operation_take_file")(operation, out file, out error);

    internal static void OperationFree(IntPtr operation) =>
        Function<FreeFunction>("wslimage_operation_free")(operation);

    internal static IntPtr ManifestName(ManifestHandle manifest) =>
        Function<PointerOf>("wslimage_manifest_name")(manifest);

    internal static IntPtr ManifestPlatform(ManifestHandle manifest) =>
        Function<PointerOf>("wslimage_manifest_platform")(manifest);

    internal static IntPtr ManifestDigest(ManifestHandle manifest) =>
        Function<PointerOf>("wslimage_manifest_digest")(manifest);

    internal static IntPtr ManifestMediaType(ManifestHandle manifest) =>
        Function<PointerOf>("wslimage_manifest_media_type")(manifest);

    internal static IntPtr ManifestMetadataJson(ManifestHandle manifest, out UIntPtr length) =>
        Function<BytesOf>("wslimage_manifest_metadata_json")(manifest, out length);

    internal static UIntPtr ManifestDroppedKeyCount(ManifestHandle manifest) =>
        Function<SizeOf>("wslimage_manifest_dropped_key_count")(manifest);

    internal static IntPtr ManifestDroppedKey(ManifestHandle manifest, UIntPtr index) =>
        Function<PointerAt>("wslimage_manifest_dropped_key")(manifest, index);

    internal static UIntPtr ManifestLayerCount(ManifestHandle manifest) =>
        Function<SizeOf>("wslimage_manifest_layer_count")(manifest);

    internal static IntPtr ManifestLayerMediaType(ManifestHandle manifest, UIntPtr index) =>
        Function<PointerAt>("wslimage_manifest_layer_media_type")(manifest, index);

    internal static IntPtr ManifestLayerDigest(ManifestHandle manifest, UIntPtr index) =>
        Function<PointerAt>("wslimage_manifest_layer_digest")(manifest, index);

    internal static ulong ManifestLayerSize(ManifestHandle manifest, UIntPtr index) =>
        Function<UInt64At>("wslimage_manifest_layer_size")(manifest, index);

    internal static void ManifestFree(IntPtr manifest) => Function<FreeFunction>("wslimage_manifest_free")(manifest);

    internal static UIntPtr TagsCount(TagsHandle tags) => Function<SizeOf>("wslimage_tags_count")(tags);

    internal static IntPtr TagsGet(TagsHandle tags, UIntPtr index) =>
        Function<PointerAt>("wslimage_tags_get")(tags, index);

    internal static void TagsFree(IntPtr tags) => Function<FreeFunction>("wslimage_tags_free")(tags);

    internal static IntPtr TokenValue(TokenHandle token) => Function<PointerOf>("wslimage_token_value")(token);

    internal static void TokenFree(IntPtr token) => Function<FreeFunction>("wslimage_token_free")(token);

    internal static IntPtr FileDigest(FileHandle file) => Function<PointerOf>("wslimage_file_digest")(file);

    internal static ulong FileSize(FileHandle file) => Function<UInt64Of>("wslimage_file_size")(file);

    internal static void FileFree(IntPtr file) => Function<FreeFunction>("wslimage_file_free")(file);

    internal static int CacheNew(Utf8Argument path, out IntPtr cache, out IntPtr error) =>
        Function<NewCache>("wslimage_cache_new")(path, out cache, out error);

    internal static int CacheRead(CacheHandle cache, out IntPtr entries, out IntPtr error) =>
        Function<Take>("wslimage_cache_read")(cache, out entries, out error);

    internal static int CacheRemove(
        CacheHandle cache, in CacheFilter filter, ref CacheRemoved removed, out IntPtr error) =>
        Function<RemoveFromCache>("wslimage_cache_remove")(
            cache, filter, ref removed, out error);

    internal static void CacheFree(IntPtr cache) => Function<FreeFunction>("wslimage_cache_free")(cache);

    internal static UIntPtr CacheEntriesCount(CacheEntriesHandle entries) =>
        Function<SizeOf>("wslimage_cache_entries_count")(entries);

    internal static IntPtr CacheEntriesDigest(CacheEntriesHandle entries, UIntPtr index) =>
        Function<PointerAt>("wslimage_cache_entries_digest")(entries, index);

    internal static IntPtr CacheEntriesPath(CacheEntriesHandle entries, UIntPtr index) =>
        Function<PointerAt>("wslimage_cache_entries_path")(entries, index);

    internal static ulong CacheEntriesSize(CacheEntriesHandle entries, UIntPtr index) =>
        Function<UInt64At>("wslimage_cache_entries_size")(entries, index);

    internal static long CacheEntriesLastUsedMs(CacheEntriesHandle entries, UIntPtr index) =>
        Function<Int64At>("wslimage_cache_entries_last_used_ms")(entries, index);

    internal static void CacheEntriesFree(IntPtr entries) =>
        Function<FreeFunction>("wslimage_cache_entries_free")(entries);

    private static TDelegate Function<TDelegate>(string name)
        where TDelegate : Delegate =>
        (TDelegate)_functions.GetOrAdd(name, static name =>
        {
            IntPtr function = NativeLibraryFile.Function(_library, name);
            return function == IntPtr.Zero
                ? throw new EntryPointNotFoundException($"{NativeLibraryFile.Path} has no function {name}.")
                : Marshal.GetDelegateForFunctionPointer<TDelegate>(function);
        });
}
#endif
