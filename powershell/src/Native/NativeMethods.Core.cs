#if NET
using System;
using System.Reflection;
using System.Runtime.InteropServices;

namespace WslImage.Native;

internal static partial class NativeMethods
{
    private const string Library = "wslimage";

    // A resolver can be set once in the life of an assembly.
    static NativeMethods() => NativeLibrary.SetDllImportResolver(typeof(NativeMethods).Assembly, Resolve);

    [DllImport(Library, EntryPoint = "wslimage_error_kind_of", CallingConvention = CallingConvention.Cdecl)]
    internal static extern ErrorKind ErrorKindOf(ErrorHandle error);

    [DllImport(Library, EntryPoint = "wslimage_error_stage", CallingConvention = CallingConvention.Cdecl)]
    internal static extern Stage ErrorStage(ErrorHandle error);

    [DllImport(Library, EntryPoint = "wslimage_error_message", CallingConvention = CallingConvention.Cdecl)]
    internal static extern IntPtr ErrorMessage(ErrorHandle error);

    [DllImport(Library, EntryPoint = "wslimage_error_http_status", CallingConvention = CallingConvention.Cdecl)]
    internal static extern ushort ErrorHttpStatus(ErrorHandle error);

    [DllImport(Library, EntryPoint = "wslimage_error_registry_code", CallingConvention = CallingConvention.Cdecl)]
    internal static extern IntPtr ErrorRegistryCode(ErrorHandle error);

    [DllImport(Library, EntryPoint = "wslimage_error_retry_after_ms", CallingConvention = CallingConvention.Cdecl)]
    internal static extern long ErrorRetryAfterMs(ErrorHandle error);

    [DllImport(Library, EntryPoint = "wslimage_error_advice", CallingConvention = CallingConvention.Cdecl)]
    internal static extern IntPtr ErrorAdvice(ErrorHandle error);

    [DllImport(Library, EntryPoint = "wslimage_error_target", CallingConvention = CallingConvention.Cdecl)]
    internal static extern IntPtr ErrorTarget(ErrorHandle error);

    [DllImport(Library, EntryPoint = "wslimage_error_cause", CallingConvention = CallingConvention.Cdecl)]
    internal static extern IntPtr ErrorCause(ErrorHandle error, UIntPtr index);

    [DllImport(Library, EntryPoint = "wslimage_error_free", CallingConvention = CallingConvention.Cdecl)]
    internal static extern void ErrorFree(IntPtr error);

    [DllImport(Library, EntryPoint = "wslimage_client_new", CallingConvention = CallingConvention.Cdecl)]
    internal static extern int ClientNew(in ClientOptions options, out IntPtr client, out IntPtr error);

    [DllImport(Library, EntryPoint = "wslimage_client_free", CallingConvention = CallingConvention.Cdecl)]
    internal static extern void ClientFree(IntPtr client);

    [DllImport(Library, EntryPoint = "wslimage_reference_new", CallingConvention = CallingConvention.Cdecl)]
    internal static extern int ReferenceNew(in Image image, out IntPtr reference, out IntPtr error);

    [DllImport(Library, EntryPoint = "wslimage_reference_registry", CallingConvention = CallingConvention.Cdecl)]
    internal static extern IntPtr ReferenceRegistry(ReferenceHandle reference);

    [DllImport(Library, EntryPoint = "wslimage_reference_repository", CallingConvention = CallingConvention.Cdecl)]
    internal static extern IntPtr ReferenceRepository(ReferenceHandle reference);

    [DllImport(Library, EntryPoint = "wslimage_reference_version", CallingConvention = CallingConvention.Cdecl)]
    internal static extern IntPtr ReferenceVersion(ReferenceHandle reference);

    [DllImport(Library, EntryPoint = "wslimage_reference_free", CallingConvention = CallingConvention.Cdecl)]
    internal static extern void ReferenceFree(IntPtr reference);

    [DllImport(Library, EntryPoint = "wslimage_manifest_start", CallingConvention = CallingConvention.Cdecl)]
    internal static extern int ManifestStart(
        ClientHandle client, in Image image, out IntPtr operation, out IntPtr error);

    [DllImport(Library, EntryPoint = "wslimage_manifest_start_local", CallingConvention = CallingConvention.Cdecl)]
    internal static extern int ManifestStartLocal(in LocalImage image, out IntPtr operation, out IntPtr error);

    [DllImport(Library, EntryPoint = "wslimage_token_start", CallingConvention = CallingConvention.Cdecl)]
    internal static extern int TokenStart(
        ClientHandle client, in Image image, out IntPtr operation, out IntPtr error);

    [DllImport(Library, EntryPoint = "wslimage_tags_start", CallingConvention = CallingConvention.Cdecl)]
    internal static extern int TagsStart(
        ClientHandle client, in Image image, out IntPtr operation, out IntPtr error);

    [DllImport(Library, EntryPoint = "wslimage_pull_start", CallingConvention = CallingConvention.Cdecl)]
    internal static extern int PullStart(
        ClientHandle client,
        ManifestHandle manifest,
        Utf8Argument destinationPath,
        in PullOptions options,
        out IntPtr operation,
        out IntPtr error);

    [DllImport(Library, EntryPoint = "wslimage_operation_run", CallingConvention = CallingConvention.Cdecl)]
    internal static extern int OperationRun(OperationHandle operation, ProgressCallback callback, IntPtr userdata);

    [DllImport(Library, EntryPoint = "wslimage_operation_cancel", CallingConvention = CallingConvention.Cdecl)]
    internal static extern int OperationCancel(OperationHandle operation);

    [DllImport(Library, EntryPoint = "wslimage_operation_progress", CallingConvention = CallingConvention.Cdecl)]
    internal static extern int OperationProgress(OperationHandle operation, ref Progress progress);

    [DllImport(Library, EntryPoint = "wslimage_operation_layer_bytes", CallingConvention = CallingConvention.Cdecl)]
    internal static extern ulong OperationLayerBytes(OperationHandle operation, UIntPtr index);

    [DllImport(Library, EntryPoint = "wslimage_operation_notice", CallingConvention = CallingConvention.Cdecl)]
    internal static extern IntPtr OperationNotice(
        OperationHandle operation, ulong index, out uint kind, out Stage stage);

    [DllImport(Library, EntryPoint = "wslimage_operation_take_manifest", CallingConvention = CallingConvention.Cdecl)]
    internal static extern int OperationTakeManifest(OperationHandle operation, out IntPtr manifest, out IntPtr error);

    [DllImport(Library, EntryPoint = "wslimage_operation_take_tags", CallingConvention = CallingConvention.Cdecl)]
    internal static extern int OperationTakeTags(OperationHandle operation, out IntPtr tags, out IntPtr error);

    [DllImport(Library, EntryPoint = "wslimage_operation_take_token", CallingConvention = CallingConvention.Cdecl)]
    internal static extern int OperationTakeToken(OperationHandle operation, out IntPtr token, out IntPtr error);

    [DllImport(Library, EntryPoint = "wslimage_operation_take_file", CallingConvention = CallingConvention.Cdecl)]
    internal static extern int OperationTakeFile(OperationHandle operation, out IntPtr file, out IntPtr error);

    [DllImport(Library, EntryPoint = "wslimage_operation_free", CallingConvention = CallingConvention.Cdecl)]
    internal static extern void OperationFree(IntPtr operation);

    [DllImport(Library, EntryPoint = "wslimage_manifest_name", CallingConvention = CallingConvention.Cdecl)]
    internal static extern IntPtr ManifestName(ManifestHandle manifest);

    [DllImport(Library, EntryPoint = "wslimage_manifest_platform", CallingConvention = CallingConvention.Cdecl)]
    internal static extern IntPtr ManifestPlatform(ManifestHandle manifest);

    [DllImport(Library, EntryPoint = "wslimage_manifest_digest", CallingConvention = CallingConvention.Cdecl)]
    internal static extern IntPtr ManifestDigest(ManifestHandle manifest);

    [DllImport(Library, EntryPoint = "wslimage_manifest_media_type", CallingConvention = CallingConvention.Cdecl)]
    internal static extern IntPtr ManifestMediaType(ManifestHandle manifest);

    [DllImport(Library, EntryPoint = "wslimage_manifest_metadata_json", CallingConvention = CallingConvention.Cdecl)]
    internal static extern IntPtr ManifestMetadataJson(ManifestHandle manifest, out UIntPtr length);

    [DllImport(
        Library, EntryPoint = "wslimage_manifest_dropped_key_count", CallingConvention = CallingConvention.Cdecl)]
    internal static extern UIntPtr ManifestDroppedKeyCount(ManifestHandle manifest);

    [DllImport(Library, EntryPoint = "wslimage_manifest_dropped_key", CallingConvention = CallingConvention.Cdecl)]
    internal static extern IntPtr ManifestDroppedKey(ManifestHandle manifest, UIntPtr index);

    [DllImport(Library, EntryPoint = "wslimage_manifest_layer_count", CallingConvention = CallingConvention.Cdecl)]
    internal static extern UIntPtr ManifestLayerCount(ManifestHandle manifest);

    [DllImport(Library, EntryPoint = "wslimage_manifest_layer_media_type", CallingConvention = CallingConvention.Cdecl)]
    internal static extern IntPtr ManifestLayerMediaType(ManifestHandle manifest, UIntPtr index);

    [DllImport(Library, EntryPoint = "wslimage_manifest_layer_digest", CallingConvention = CallingConvention.Cdecl)]
    internal static extern IntPtr ManifestLayerDigest(ManifestHandle manifest, UIntPtr index);

    [DllImport(Library, EntryPoint = "wslimage_manifest_layer_size", CallingConvention = CallingConvention.Cdecl)]
    internal static extern ulong ManifestLayerSize(ManifestHandle manifest, UIntPtr index);

    [DllImport(Library, EntryPoint = "wslimage_manifest_free", CallingConvention = CallingConvention.Cdecl)]
    internal static extern void ManifestFree(IntPtr manifest);

    [DllImport(Library, EntryPoint = "wslimage_tags_count", CallingConvention = CallingConvention.Cdecl)]
    internal static extern UIntPtr TagsCount(TagsHandle tags);

    [DllImport(Library, EntryPoint = "wslimage_tags_get", CallingConvention = CallingConvention.Cdecl)]
    internal static extern IntPtr TagsGet(TagsHandle tags, UIntPtr index);

    [DllImport(Library, EntryPoint = "wslimage_tags_free", CallingConvention = CallingConvention.Cdecl)]
    internal static extern void TagsFree(IntPtr tags);

    [DllImport(Library, EntryPoint = "wslimage_token_value", CallingConvention = CallingConvention.Cdecl)]
    internal static extern IntPtr TokenValue(TokenHandle token);

    [DllImport(Library, EntryPoint = "wslimage_token_free", CallingConvention = CallingConvention.Cdecl)]
    internal static extern void TokenFree(IntPtr token);

    [DllImport(Library, EntryPoint = "wslimage_file_digest", CallingConvention = CallingConvention.Cdecl)]
    internal static extern IntPtr FileDigest(FileHandle file);

    [DllImport(Library, EntryPoint = "wslimage_file_size", CallingConvention = CallingConvention.Cdecl)]
    internal static extern ulong FileSize(FileHandle file);

    [DllImport(Library, EntryPoint = "wslimage_file_free", CallingConvention = CallingConvention.Cdecl)]
    internal static extern void FileFree(IntPtr file);

    [DllImport(Library, EntryPoint = "wslimage_cache_new", CallingConvention = CallingConvention.Cdecl)]
    internal static extern int CacheNew(Utf8Argument path, out IntPtr cache, out IntPtr error);

    [DllImport(Library, EntryPoint = "wslimage_cache_read", CallingConvention = CallingConvention.Cdecl)]
    internal static extern int CacheRead(CacheHandle cache, out IntPtr entries, out IntPtr error);

    [DllImport(Library, EntryPoint = "wslimage_cache_remove", CallingConvention = CallingConvention.Cdecl)]
    internal static extern int CacheRemove(
        CacheHandle cache, in CacheFilter filter, ref CacheRemoved removed, out IntPtr error);

    [DllImport(Library, EntryPoint = "wslimage_cache_free", CallingConvention = CallingConvention.Cdecl)]
    internal static extern void CacheFree(IntPtr cache);

    [DllImport(Library, EntryPoint = "wslimage_cache_entries_count", CallingConvention = CallingConvention.Cdecl)]
    internal static extern UIntPtr CacheEntriesCount(CacheEntriesHandle entries);

    [DllImport(Library, EntryPoint = "wslimage_cache_entries_digest", CallingConvention = CallingConvention.Cdecl)]
    internal static extern IntPtr CacheEntriesDigest(CacheEntriesHandle entries, UIntPtr index);

    [DllImport(Library, EntryPoint = "wslimage_cache_entries_path", CallingConvention = CallingConvention.Cdecl)]
    internal static extern IntPtr CacheEntriesPath(CacheEntriesHandle entries, UIntPtr index);

    [DllImport(Library, EntryPoint = "wslimage_cache_entries_size", CallingConvention = CallingConvention.Cdecl)]
    internal static extern ulong CacheEntriesSize(CacheEntriesHandle entries, UIntPtr index);

    [DllImport(
        Library, EntryPoint = "wslimage_cache_entries_last_used_ms", CallingConvention = CallingConvention.Cdecl)]
    internal static extern long CacheEntriesLastUsedMs(CacheEntriesHandle entries, UIntPtr index);

    [DllImport(Library, EntryPoint = "wslimage_cache_entries_free", CallingConvention = CallingConvention.Cdecl)]
    internal static extern void CacheEntriesFree(IntPtr entries);

    private static IntPtr Resolve(string name, Assembly assembly, DllImportSearchPath? searchPath) =>
        name == Library ? _library : IntPtr.Zero;
}
#endif
