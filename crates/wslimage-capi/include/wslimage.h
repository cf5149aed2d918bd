/* SPDX-License-Identifier: Apache-2.0 */
/* Written by `cargo xtask header` from crates/wslimage-capi/src. Do not edit. */

#ifndef WSLIMAGE_H
#define WSLIMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * wslimage: a container image from any registry becomes one archive that `wsl --import` takes.
 *
 * Strings that go in are UTF-8 and NUL-terminated, and borrowed for the call; NULL means "not given". Strings that come
 * out are UTF-8 and NUL-terminated, belong to the handle they are read from, and live until its one free function.
 * Structs begin with their size, so that they can grow: zero a struct, set its size, then its fields.
 *
 * A function with an error parameter sets *error, unless error is NULL: to NULL where it returns OK or PENDING, else to
 * an error that is the caller's. A handle that a function gives is NULL where it does not return OK.
 *
 * No function prints, and none lets a panic or an exception out. Threads are made at first use and stay; after fork() a
 * child must not call the library before exec().
 */

/**
 * The version of the ABI that this header describes. It grows when a function or a type changes its meaning; what is
 * only added does not change it.
 */
#define WSLIMAGE_ABI_VERSION 3

/**
 * A folder in which blobs are kept. Any thread may use it, several at once, and several processes one folder.
 */
typedef struct wslimage_cache wslimage_cache;

/**
 * What a cache held when it was read. It never changes: any thread may read it, several at once. Its strings belong to
 * it and live until wslimage_cache_entries_free.
 */
typedef struct wslimage_cache_entries wslimage_cache_entries;

/**
 * A client: how registries are reached, and the tokens got so far. Any thread may use it, several at once.
 */
typedef struct wslimage_client wslimage_client;

/**
 * Why something did not work. It never changes: any thread may read it, several at once. Its strings belong to it and
 * live until wslimage_error_free. All functions that read it take NULL for an error that says nothing: 0, NULL or -1.
 */
typedef struct wslimage_error wslimage_error;

/**
 * A file that is complete and verified. It never changes: any thread may read it, several at once. Its strings belong
 * to it and live until wslimage_file_free. All functions that read it take NULL for a file that says nothing: NULL or
 * 0.
 */
typedef struct wslimage_file wslimage_file;

/**
 * An image as a registry, a file or a folder describes it: manifest and config, both verified. It never changes: any
 * thread may read it, several at once. Its strings and bytes belong to it and live until wslimage_manifest_free. All
 * functions that read it take NULL for a manifest that says nothing: NULL or 0.
 */
typedef struct wslimage_manifest wslimage_manifest;

/**
 * Something that runs on the library's own threads, from its start to its end. Any thread may use it, several at once;
 * only wslimage_operation_free needs it alone.
 */
typedef struct wslimage_operation wslimage_operation;

/**
 * The whole name of an image. It never changes: any thread may read it, several at once. Its strings belong to it and
 * live until wslimage_reference_free. All functions that read it give NULL for NULL.
 */
typedef struct wslimage_reference wslimage_reference;

/**
 * The tags of a repository, in the registry's order. They never change: any thread may read them, several at once.
 * They belong to the handle and live until wslimage_tags_free.
 */
typedef struct wslimage_tags wslimage_tags;

/**
 * A token of a registry, or that it asks for none. It never changes: any thread may read it, several at once.
 */
typedef struct wslimage_token wslimage_token;

/**
 * What went wrong: one of the WSLIMAGE_ERROR_KIND_ constants. The values never change their meaning; later versions
 * may have more.
 */
typedef uint32_t wslimage_error_kind;

/**
 * The part of the job that is being done, or that failed: one of the WSLIMAGE_STAGE_ constants. The values never
 * change their meaning.
 */
typedef uint32_t wslimage_stage;

/**
 * What a call returns: one of the WSLIMAGE_STATUS_ constants. The values never change their meaning.
 */
typedef int32_t wslimage_status;

/**
 * Options of a client. All zero but the size is the default: https, the operating system's trust, and the logins,
 * mirrors and proxies that the machine is set up with.
 */
typedef struct wslimage_client_options {
  /**
   * sizeof(wslimage_client_options).
   */
  size_t size;
  /**
   * Who signs in, together with password; NULL with it: the login that the machine has, or nobody. Both go to the
   * registry that is asked and to the token service that it names, to nobody else.
   */
  const char *username;
  /**
   * The password, or a token in its place; may be freed or overwritten as soon as wslimage_client_new has returned.
   */
  const char *password;
  /**
   * A PEM file with certificates to trust beside those of the operating system; NULL: none.
   */
  const char *ca_certificate_path;
  /**
   * Stands in User-Agent after "WslImage/VERSION", such as "PowerShell/7.6"; NULL: nothing.
   */
  const char *user_agent;
  /**
   * Any certificate is taken: anybody on the way can then read and alter what is sent.
   */
  bool skip_certificate_check;
  /**
   * Registries are asked by plain http, with passwords too. Without it only a registry on this machine is,
   * anonymously, when it does not speak https.
   */
  bool plain_http;
  /**
   * The variables that lead to logins, mirrors, proxies and the cache, each "NAME=VALUE", with NULL after the last.
   * NULL: those that the process has.
   */
  const char *const *environment;
  /**
   * The longest time for name lookup, connection and TLS handshake together; 0: the default, 30 seconds.
   */
  uint32_t connect_timeout_ms;
  /**
   * The longest time without a byte; 0: the default, 30 seconds.
   */
  uint32_t stall_timeout_ms;
  /**
   * The most tries after the first, without progress between them; 0: the default, 5.
   */
  uint32_t maximum_retries;
  /**
   * Nothing is tried again, whatever maximum_retries is.
   */
  bool no_retry;
  /**
   * The most that is waited between tries in all, also where a server asks for more; 0: the default, 2 minutes.
   */
  uint64_t maximum_wait_ms;
  /**
   * The most connections that fetch one blob; 0: the default, 6.
   */
  uint32_t maximum_connections;
  /**
   * A proxy for every address, such as "http://proxy:3128", without a user; NULL: as the machine is set up.
   */
  const char *proxy_url;
  /**
   * Who signs in at the proxy, together with proxy_password; NULL with it: nobody.
   */
  const char *proxy_username;
  /**
   * As password.
   */
  const char *proxy_password;
  /**
   * The user of this Windows session signs in at the proxy of proxy_url.
   */
  bool proxy_use_default_credentials;
  /**
   * No proxy is used, whatever is set up.
   */
  bool no_proxy;
  /**
   * Where to look before the registry that is asked, each "host[:port][/path]", with NULL after the last; NULL:
   * none but those that the machine is set up with.
   */
  const char *const *mirrors;
  /**
   * A folder in which blobs are kept and looked for; NULL: that of the variable WSLIMAGE_CACHE, or none.
   */
  const char *cache_path;
} wslimage_client_options;

/**
 * Which image. All strings are read during the call.
 */
typedef struct wslimage_image {
  /**
   * sizeof(wslimage_image).
   */
  size_t size;
  /**
   * "ghcr.io", "docker.io", "host:5000". NULL: taken from name, else default_registry.
   */
  const char *registry;
  /**
   * "owner/name", or a whole reference as docker writes it, such as "ghcr.io/owner/name:tag"; what it names must not
   * be named otherwise beside it. For wslimage_token_start, with registry given, it is a repository there, and ""
   * or NULL asks for a token of the registry itself.
   */
  const char *name;
  /**
   * A tag, or "sha256:..." for a digest. NULL: taken from name, else "latest". Read by wslimage_reference_new and
   * wslimage_manifest_start only.
   */
  const char *tag;
  /**
   * "linux/arm64/v8"; NULL: "linux/amd64", whatever this machine is. Read by wslimage_manifest_start only.
   */
  const char *platform;
  /**
   * A Bearer token that the caller has: it is used as it is, and when it is refused no other is got in its place.
   * NULL: as the registry asks for it. Read by wslimage_manifest_start only.
   */
  const char *auth_token;
  /**
   * The registry where neither registry nor name says one; NULL: "docker.io".
   */
  const char *default_registry;
} wslimage_image;

/**
 * How far an operation is.
 */
typedef struct wslimage_progress {
  /**
   * sizeof(wslimage_progress): set by the caller for wslimage_operation_progress, by the library for a callback.
   */
  size_t size;
  /**
   * One of the WSLIMAGE_STAGE_ constants.
   */
  wslimage_stage stage;
  /**
   * 0 while unknown.
   */
  uint32_t layer_count;
  /**
   * The index of the layer that moved last.
   */
  uint32_t layer;
  /**
   * Of all layers together; wslimage_operation_layer_bytes tells them apart.
   */
  uint64_t bytes_done;
  /**
   * 0 while unknown.
   */
  uint64_t bytes_total;
  /**
   * How many notices there are so far, see wslimage_operation_notice.
   */
  uint64_t notice_count;
  /**
   * So much of the archive is written; 0 before that begins, and where the file is a blob as it came.
   */
  uint64_t bytes_written;
  /**
   * About so much of the archive is to be written; 0 as long as bytes_written counts nothing.
   */
  uint64_t bytes_to_write;
} wslimage_progress;

/**
 * What a notice is: one of the WSLIMAGE_NOTICE_KIND_ constants. The values never change their meaning.
 */
typedef uint32_t wslimage_notice_kind;

/**
 * Is told how far an operation is; returns nonzero to cancel it, and is then not called again.
 *
 * It is called on the thread that called wslimage_operation_run, never on another: at once, at each change of stage,
 * at each new notice, else ten times a second, and after the end when something has changed since. What changes while
 * it runs is told in one call after it. progress lives for the call. It may call any function with the operation but
 * wslimage_operation_run and wslimage_operation_free, and must return: no exception and no longjmp may leave it.
 */
typedef int32_t (*wslimage_progress_callback)(void *userdata, const struct wslimage_progress *progress);

/**
 * Which image of a file or folder. All strings are read during the call.
 */
typedef struct wslimage_local_image {
  /**
   * sizeof(wslimage_local_image).
   */
  size_t size;
  /**
   * An OCI image layout, as a folder or as an archive, or what docker save or podman save has written. UTF-8;
   * relative to the process's directory if it is relative.
   */
  const char *path;
  /**
   * The image's name there, its tag, or its digest; NULL where there is one image.
   */
  const char *selection;
  /**
   * "linux/arm64/v8"; NULL: "linux/amd64", whatever this machine is.
   */
  const char *platform;
} wslimage_local_image;

/**
 * What an archive is written as: one of the WSLIMAGE_FORMAT_ constants. The values never change their meaning.
 */
typedef uint32_t wslimage_format;

/**
 * What is made of an image. All zero but the size is the default.
 */
typedef struct wslimage_pull_options {
  /**
   * sizeof(wslimage_pull_options).
   */
  size_t size;
  /**
   * One of the WSLIMAGE_FORMAT_ constants; 0: tar, compressed with gzip.
   */
  wslimage_format format;
  /**
   * How many bytes all layers may have together when they are decompressed; 0: the default, 256 GiB.
   */
  uint64_t maximum_plain_size;
} wslimage_pull_options;

/**
 * Which blobs are to be removed from a cache. All zero but the size is all of them.
 */
typedef struct wslimage_cache_filter {
  /**
   * sizeof(wslimage_cache_filter).
   */
  size_t size;
  /**
   * The blob of this digest, "sha256:..."; NULL: of any.
   */
  const char *digest;
  /**
   * Those that nobody has used since this time, in milliseconds since 1970-01-01 00:00 UTC; 0: whenever they were
   * used. Not together with digest.
   */
  int64_t unused_since_ms;
} wslimage_cache_filter;

/**
 * What was removed from a cache.
 */
typedef struct wslimage_cache_removed {
  /**
   * sizeof(wslimage_cache_removed): set by the caller.
   */
  size_t size;
  /**
   * The number of blobs.
   */
  uint64_t count;
  /**
   * The bytes that they had, and those of what interrupted processes have left behind.
   */
  uint64_t bytes;
} wslimage_cache_removed;

/**
 * Done, or ended.
 */
#define WSLIMAGE_STATUS_OK 0

/**
 * The operation goes on.
 */
#define WSLIMAGE_STATUS_PENDING 1

/**
 * The operation was cancelled.
 */
#define WSLIMAGE_STATUS_CANCELLED 2

/**
 * It did not work; the error handle says why.
 */
#define WSLIMAGE_STATUS_FAILED 3

/**
 * The call itself is wrong: a null pointer, a size that no version of the struct has, text that is not UTF-8, an
 * operation of another sort. The error handle, where the function has one, says which.
 */
#define WSLIMAGE_STATUS_INVALID_ARGUMENT 4

/**
 * A defect in the library; the error handle says where.
 */
#define WSLIMAGE_STATUS_PANIC 5

/**
 * A wrong call, or an option that cannot be used: a CA file that cannot be read, a platform that is not
 * OS/ARCHITECTURE.
 */
#define WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT 1

/**
 * A registry, name, tag or digest that is not well formed.
 */
#define WSLIMAGE_ERROR_KIND_INVALID_REFERENCE 2

/**
 * 401 by the registry or the token service.
 */
#define WSLIMAGE_ERROR_KIND_UNAUTHORIZED 3

/**
 * 403 by the registry or the token service.
 */
#define WSLIMAGE_ERROR_KIND_DENIED 4

/**
 * 404 for a manifest: "Image not found: REGISTRY/NAME:TAG".
 */
#define WSLIMAGE_ERROR_KIND_NOT_FOUND 5

/**
 * 404 for a blob that the manifest names.
 */
#define WSLIMAGE_ERROR_KIND_BLOB_NOT_FOUND 6

/**
 * 429: too many requests.
 */
#define WSLIMAGE_ERROR_KIND_RATE_LIMITED 7

/**
 * Any other status that is not success.
 */
#define WSLIMAGE_ERROR_KIND_SERVER 8

/**
 * Name lookup, refused or reset connection, a body cut short.
 */
#define WSLIMAGE_ERROR_KIND_CONNECTION 9

/**
 * The TLS handshake or the server's certificate.
 */
#define WSLIMAGE_ERROR_KIND_TLS 10

/**
 * No answer, or no byte, in time.
 */
#define WSLIMAGE_ERROR_KIND_TIMEOUT 11

/**
 * An answer that is not what the protocol says: not JSON, too large, a bad redirect.
 */
#define WSLIMAGE_ERROR_KIND_INVALID_RESPONSE 12

/**
 * No manifest for the platform asked for; the message says which there are.
 */
#define WSLIMAGE_ERROR_KIND_NO_PLATFORM 13

/**
 * An image of a form that cannot become an archive: no layers, layers that are no archives, Docker schema 1, or no image
 * for Linux at all.
 */
#define WSLIMAGE_ERROR_KIND_UNSUPPORTED_IMAGE 14

/**
 * Bytes that do not hash to their digest, or plain ones that do not hash to the DiffID.
 */
#define WSLIMAGE_ERROR_KIND_DIGEST_MISMATCH 15

/**
 * The destination, or a file to be read: folder, permission, full disk.
 */
#define WSLIMAGE_ERROR_KIND_FILE 16

/**
 * A secret would have gone over plain http, or https was redirected to http.
 */
#define WSLIMAGE_ERROR_KIND_INSECURE 17

/**
 * The caller cancelled.
 */
#define WSLIMAGE_ERROR_KIND_CANCELLED 18

/**
 * A defect in the library.
 */
#define WSLIMAGE_ERROR_KIND_INTERNAL 19

/**
 * The proxy refused, or could not reach the registry.
 */
#define WSLIMAGE_ERROR_KIND_PROXY 20

/**
 * A registry that the configuration of this machine blocks.
 */
#define WSLIMAGE_ERROR_KIND_BLOCKED 21

/**
 * Nobody was asked anything yet.
 */
#define WSLIMAGE_STAGE_STARTING 0

/**
 * The registry says how to sign in, and the token service is asked.
 */
#define WSLIMAGE_STAGE_AUTHENTICATING 1

/**
 * Index, manifest and config are looked up.
 */
#define WSLIMAGE_STAGE_RESOLVING 2

/**
 * The bytes of layers arrive.
 */
#define WSLIMAGE_STAGE_DOWNLOADING 3

/**
 * An archive is written, if one has to be made; the file is verified, flushed and given its name.
 */
#define WSLIMAGE_STAGE_FINISHING 4

/**
 * All is done.
 */
#define WSLIMAGE_STAGE_DONE 5

/**
 * A step, for those who ask for details.
 */
#define WSLIMAGE_NOTICE_KIND_VERBOSE 1

/**
 * Something that may surprise.
 */
#define WSLIMAGE_NOTICE_KIND_WARNING 2

/**
 * A tar archive, compressed with gzip: what WSL recommends. The only layer of an image becomes the file byte for byte
 * where wsl --import takes it as it is.
 */
#define WSLIMAGE_FORMAT_TAR_GZ 0

/**
 * A tar archive as it is.
 */
#define WSLIMAGE_FORMAT_TAR 1

/**
 * A tar archive, compressed with xz. WSL 2 of Windows 10 may not read it.
 */
#define WSLIMAGE_FORMAT_TAR_XZ 2

/**
 * The blob of the only layer, whatever it is; an image of several layers is refused.
 */
#define WSLIMAGE_FORMAT_ORIGINAL 3

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The version of the ABI that the library has. Compare it with WSLIMAGE_ABI_VERSION before anything else is called,
 * and do not use a library with another one. Any thread.
 */
uint32_t wslimage_abi_version(void);

/**
 * The version of the product, such as "0.1.0". Static: never freed. Any thread.
 */
const char *wslimage_version(void);

/**
 * What kind of failure it is, one of the WSLIMAGE_ERROR_KIND_ constants; 0 for NULL.
 */
wslimage_error_kind wslimage_error_kind_of(const struct wslimage_error *error);

/**
 * In which part of the job it failed, one of the WSLIMAGE_STAGE_ constants; 0 for NULL.
 */
wslimage_stage wslimage_error_stage(const struct wslimage_error *error);

/**
 * The whole text for people: what was attempted, on what, what came back, what to do. No secret is in it.
 */
const char *wslimage_error_message(const struct wslimage_error *error);

/**
 * The HTTP status that was answered; 0 where there was none.
 */
uint16_t wslimage_error_http_status(const struct wslimage_error *error);

/**
 * The registry's own code (OCI distribution-spec, "Error Codes"), such as "MANIFEST_UNKNOWN"; NULL where it sent none.
 */
const char *wslimage_error_registry_code(const struct wslimage_error *error);

/**
 * How many milliseconds the server asked to wait before the next try; -1 where it did not.
 */
int64_t wslimage_error_retry_after_ms(const struct wslimage_error *error);

/**
 * What the user can do; NULL where nothing is known. It is also the end of the message.
 */
const char *wslimage_error_advice(const struct wslimage_error *error);

/**
 * What it was about: a reference, an address without its query, or a file; NULL where nothing can be named.
 */
const char *wslimage_error_target(const struct wslimage_error *error);

/**
 * The causes, 0 being the nearest; NULL after the last.
 */
const char *wslimage_error_cause(const struct wslimage_error *error, size_t index);

/**
 * Ends an error and its strings. NULL is fine. Nobody may use it any more.
 */
void wslimage_error_free(struct wslimage_error *error);

/**
 * Makes a client. options is read during the call; NULL: the defaults. Any thread; reads the certificates, and asks
 * nobody on the network.
 *
 * OK: *client is the caller's, to be ended by wslimage_client_free. Otherwise *client is NULL and *error, if error is
 * not NULL, is the caller's:
 * FAILED with WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT for an option that cannot be used, such as a certificate file that
 * cannot be read, a proxy that is no address, a mirror that is no host;
 * INVALID_ARGUMENT for client NULL, a wrong size, text that is not UTF-8, a user name without a password or the
 * reverse, options that contradict each other, a variable without =;
 * PANIC.
 */
wslimage_status wslimage_client_new(const struct wslimage_client_options *options,
                                    struct wslimage_client **client,
                                    struct wslimage_error **error);

/**
 * Ends a client. NULL is fine. Running operations keep what they need of it; no other call may use it any more.
 */
void wslimage_client_free(struct wslimage_client *client);

/**
 * Puts the name of an image together, with the defaults filled in. Any thread; asks nobody. The registry, name, tag and
 * default_registry of image are read.
 *
 * OK: *reference is the caller's, to be ended by wslimage_reference_free. Otherwise *reference is NULL and *error, if
 * error is not NULL, is the caller's:
 * FAILED with WSLIMAGE_ERROR_KIND_INVALID_REFERENCE for a registry, name, tag or digest that is not well formed, or
 * that the name and what stands beside it say differently;
 * INVALID_ARGUMENT for a pointer that is NULL, a wrong size, text that is not UTF-8;
 * PANIC.
 */
wslimage_status wslimage_reference_new(const struct wslimage_image *image,
                                       struct wslimage_reference **reference,
                                       struct wslimage_error **error);

/**
 * The whole name: "ghcr.io/owner/name:tag", "docker.io/library/alpine@sha256:...".
 */
const char *wslimage_reference_text(const struct wslimage_reference *reference);

/**
 * The registry: "ghcr.io", and "docker.io" for all names of Docker Hub.
 */
const char *wslimage_reference_registry(const struct wslimage_reference *reference);

/**
 * The name at the registry: "owner/name", "library/alpine".
 */
const char *wslimage_reference_repository(const struct wslimage_reference *reference);

/**
 * Which image the registry is asked for: the digest where there is one, else the tag.
 */
const char *wslimage_reference_version(const struct wslimage_reference *reference);

/**
 * Ends a reference and its strings. NULL is fine. Nobody may use it any more.
 */
void wslimage_reference_free(struct wslimage_reference *reference);

/**
 * Waits for the end of an operation, at most so many milliseconds; 0 only looks. Any thread.
 *
 * OK: it has ended, whatever the end; PENDING: it goes on; INVALID_ARGUMENT: operation is NULL; PANIC.
 */
wslimage_status wslimage_operation_wait(struct wslimage_operation *operation, uint32_t milliseconds);

/**
 * Asks an operation to end. Returns at once, from any thread; the operation ends soon after (within 200 ms, also while
 * a server stalls). One that has ended already stays as it ended.
 *
 * OK; INVALID_ARGUMENT: operation is NULL; PANIC.
 */
wslimage_status wslimage_operation_cancel(struct wslimage_operation *operation);

/**
 * Tells how far an operation is. Any thread, also after the end. The caller sets progress->size before.
 *
 * OK; INVALID_ARGUMENT: a pointer is NULL, or the size is wrong; PANIC.
 */
wslimage_status wslimage_operation_progress(struct wslimage_operation *operation, struct wslimage_progress *progress);

/**
 * How many bytes of a layer have arrived, 0 being the lowest layer; 0 after the last, and for NULL. Any thread, also after
 * the end.
 */
uint64_t wslimage_operation_layer_bytes(struct wslimage_operation *operation,
                                        size_t index);

/**
 * A line worth showing, by its place in the order in which they came. kind and stage may be NULL; *kind becomes one of
 * the WSLIMAGE_NOTICE_KIND_ constants, or 0 where there is no such notice, and *stage the stage in which the line was
 * told, one of the WSLIMAGE_STAGE_ constants. Any thread, also after the end.
 *
 * The string lives until wslimage_operation_free. NULL: operation is NULL, or there are not so many notices yet.
 */
const char *wslimage_operation_notice(struct wslimage_operation *operation,
                                      uint64_t index,
                                      wslimage_notice_kind *kind,
                                      wslimage_stage *stage);

/**
 * Waits for the end of an operation and tells callback how far it is; see wslimage_progress_callback for when.
 * callback and userdata may be NULL. When callback returns nonzero the operation is cancelled, and the call returns
 * when that is done, within 200 ms.
 *
 * OK, CANCELLED, FAILED or PANIC, as the function that takes the result will say; INVALID_ARGUMENT: operation is NULL.
 */
wslimage_status wslimage_operation_run(struct wslimage_operation *operation,
                                       wslimage_progress_callback callback,
                                       void *userdata);

/**
 * Ends an operation, its notices and a result that was not taken. NULL is fine. One that still runs is cancelled
 * first, and waited for until it has let go of its files (well under a second). No other call may use it any more. Not
 * from the callback.
 */
void wslimage_operation_free(struct wslimage_operation *operation);

/**
 * Starts to look an image up: index, the manifest for the platform, config. Any thread; image is copied.
 *
 * OK: *operation is the caller's, to be ended by wslimage_operation_free; its result is taken by
 * wslimage_operation_take_manifest. Otherwise *operation is NULL and *error, if error is not NULL, is the caller's:
 * FAILED with WSLIMAGE_ERROR_KIND_INVALID_REFERENCE for a registry, name, tag or digest that is not well formed, or
 * with WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT for a platform;
 * INVALID_ARGUMENT for a pointer that is NULL, a wrong size, text that is not UTF-8;
 * PANIC.
 */
wslimage_status wslimage_manifest_start(struct wslimage_client *client,
                                        const struct wslimage_image *image,
                                        struct wslimage_operation **operation,
                                        struct wslimage_error **error);

/**
 * Takes the result of wslimage_manifest_start or wslimage_manifest_start_local, once. Any thread.
 *
 * OK: *manifest is the caller's, to be ended by wslimage_manifest_free; it does not need the operation or the client.
 * PENDING: the operation goes on. Otherwise *manifest is NULL and *error, if error is not NULL, is the caller's:
 * FAILED, CANCELLED or PANIC as the operation ended (as often as it is asked for);
 * INVALID_ARGUMENT for a pointer that is NULL, an operation of another sort, a result that was taken before.
 */
wslimage_status wslimage_operation_take_manifest(struct wslimage_operation *operation,
                                                 struct wslimage_manifest **manifest,
                                                 struct wslimage_error **error);

/**
 * What to call the image: its reference, or its name in a file or folder and where that is.
 */
const char *wslimage_manifest_name(const struct wslimage_manifest *manifest);

/**
 * The image at its registry as the user named it, with the defaults filled in: "ghcr.io/owner/name:tag". NULL for an
 * image of a file or folder.
 */
const char *wslimage_manifest_reference(const struct wslimage_manifest *manifest);

/**
 * The platform that the image is for, such as "linux/amd64".
 */
const char *wslimage_manifest_platform(const struct wslimage_manifest *manifest);

/**
 * The digest of the platform's manifest (not of an index that leads to it), "sha256:...".
 */
const char *wslimage_manifest_digest(const struct wslimage_manifest *manifest);

/**
 * The media type of the platform's manifest; "" where nobody says it.
 */
const char *wslimage_manifest_media_type(const struct wslimage_manifest *manifest);

/**
 * The platform's manifest, byte for byte. *length becomes the number of bytes; no NUL follows them. NULL when manifest
 * or length is NULL.
 */
const uint8_t *wslimage_manifest_json(const struct wslimage_manifest *manifest, size_t *length);

/**
 * The config, byte for byte. As wslimage_manifest_json.
 */
const uint8_t *wslimage_manifest_config_json(const struct wslimage_manifest *manifest, size_t *length);

/**
 * The config without history and rootfs, as JSON in which no two keys of one object are equal or differ only by case
 * (the first stays) and no key is empty: what PowerShell's ConvertFrom-Json takes. As wslimage_manifest_json.
 */
const uint8_t *wslimage_manifest_metadata_json(const struct wslimage_manifest *manifest, size_t *length);

/**
 * How many keys were left out of the metadata because one before them differs only by case, or because they are empty.
 */
size_t wslimage_manifest_dropped_key_count(const struct wslimage_manifest *manifest);

/**
 * The path of a key that was left out, such as "config.Labels.Foo"; NULL after the last.
 */
const char *wslimage_manifest_dropped_key(const struct wslimage_manifest *manifest, size_t index);

/**
 * How many layers the image has; at least 1.
 */
size_t wslimage_manifest_layer_count(const struct wslimage_manifest *manifest);

/**
 * The media type of a layer, 0 being the lowest; NULL after the last.
 */
const char *wslimage_manifest_layer_media_type(const struct wslimage_manifest *manifest, size_t index);

/**
 * The digest of a layer's blob, "sha256:..."; NULL after the last.
 */
const char *wslimage_manifest_layer_digest(const struct wslimage_manifest *manifest, size_t index);

/**
 * The length of a layer's blob in bytes, as the manifest says it; 0 after the last.
 */
uint64_t wslimage_manifest_layer_size(const struct wslimage_manifest *manifest, size_t index);

/**
 * Ends a manifest, its strings and its bytes. NULL is fine. Running operations keep what they need of it; nobody else
 * may use it any more.
 */
void wslimage_manifest_free(struct wslimage_manifest *manifest);

/**
 * Starts to look an image up in a file or folder: its index, the manifest for the platform, its config. Nobody on the
 * network is asked. Any thread; image is copied. The file or folder must stay as it is until the image has been pulled.
 *
 * OK: *operation is the caller's, to be ended by wslimage_operation_free; its result is taken by
 * wslimage_operation_take_manifest. Its errors: WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT when the path cannot be opened,
 * _UNSUPPORTED_IMAGE when no image that can be used is there, _NOT_FOUND for a selection that is not there,
 * _INVALID_REFERENCE where one of several images has to be selected, _NO_PLATFORM, and _INVALID_RESPONSE,
 * _BLOB_NOT_FOUND or _DIGEST_MISMATCH for what is damaged. Otherwise *operation is NULL and *error, if error is not
 * NULL, is the caller's:
 * FAILED with WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT for a platform that is not well formed;
 * INVALID_ARGUMENT for a pointer that is NULL, a wrong size, text that is not UTF-8;
 * PANIC.
 */
wslimage_status wslimage_manifest_start_local(const struct wslimage_local_image *image,
                                              struct wslimage_operation **operation,
                                              struct wslimage_error **error);

/**
 * Starts to ask for the tags of a repository. Any thread; image is copied: its registry, name and default_registry are
 * read, and a tag in the name does not matter.
 *
 * OK: *operation is the caller's, to be ended by wslimage_operation_free; its result is taken by
 * wslimage_operation_take_tags. Otherwise *operation is NULL and *error, if error is not NULL, is the caller's:
 * FAILED with WSLIMAGE_ERROR_KIND_INVALID_REFERENCE for a registry or a name that is not well formed;
 * INVALID_ARGUMENT for a pointer that is NULL, a wrong size, text that is not UTF-8;
 * PANIC.
 */
wslimage_status wslimage_tags_start(struct wslimage_client *client,
                                    const struct wslimage_image *image,
                                    struct wslimage_operation **operation,
                                    struct wslimage_error **error);

/**
 * Takes the result of wslimage_tags_start, once. Any thread.
 *
 * OK: *tags is the caller's, to be ended by wslimage_tags_free; it does not need the operation or the client. PENDING:
 * the operation goes on. Otherwise *tags is NULL and *error, if error is not NULL, is the caller's:
 * FAILED, CANCELLED or PANIC as the operation ended (as often as it is asked for);
 * INVALID_ARGUMENT for a pointer that is NULL, an operation of another sort, a result that was taken before.
 */
wslimage_status wslimage_operation_take_tags(struct wslimage_operation *operation,
                                             struct wslimage_tags **tags,
                                             struct wslimage_error **error);

/**
 * How many tags there are; 0 for NULL.
 */
size_t wslimage_tags_count(const struct wslimage_tags *tags);

/**
 * A tag, 0 being the first; NULL after the last, and for NULL.
 */
const char *wslimage_tags_get(const struct wslimage_tags *tags, size_t index);

/**
 * Ends a list of tags. NULL is fine. Nobody may use it any more.
 */
void wslimage_tags_free(struct wslimage_tags *tags);

/**
 * Starts to get the token with which an image can be pulled. Any thread; image is copied: its registry and name are
 * read.
 *
 * OK: *operation is the caller's, to be ended by wslimage_operation_free; its result is taken by
 * wslimage_operation_take_token. Otherwise *operation is NULL and *error, if error is not NULL, is the caller's:
 * FAILED with WSLIMAGE_ERROR_KIND_INVALID_REFERENCE for a whole reference that is not well formed (a registry and a
 * name beside it are looked at by the operation);
 * INVALID_ARGUMENT for a pointer that is NULL, a wrong size, text that is not UTF-8;
 * PANIC.
 */
wslimage_status wslimage_token_start(struct wslimage_client *client,
                                     const struct wslimage_image *image,
                                     struct wslimage_operation **operation,
                                     struct wslimage_error **error);

/**
 * Takes the result of wslimage_token_start, once. Any thread.
 *
 * OK: *token is the caller's, to be ended by wslimage_token_free; it does not need the operation or the client.
 * PENDING: the operation goes on. Otherwise *token is NULL and *error, if error is not NULL, is the caller's:
 * FAILED, CANCELLED or PANIC as the operation ended (as often as it is asked for);
 * INVALID_ARGUMENT for a pointer that is NULL, an operation of another sort, a result that was taken before.
 */
wslimage_status wslimage_operation_take_token(struct wslimage_operation *operation,
                                              struct wslimage_token **token,
                                              struct wslimage_error **error);

/**
 * The token, a secret. It lives until wslimage_token_free. NULL: the registry asks for none, or token is NULL.
 */
const char *wslimage_token_value(const struct wslimage_token *token);

/**
 * Overwrites a token and ends it. NULL is fine. Nobody may use it any more.
 */
void wslimage_token_free(struct wslimage_token *token);

/**
 * Starts to make of an image an archive, which appears, or is replaced, only when all of it is there and verified.
 * Until then, and after a failure, what was there stays. Folders that are missing are made. The blobs of several layers
 * lie in DESTINATION.layers meanwhile, and stay there after a failure for the next call. client may be NULL for an image
 * of a file or folder. Any thread; manifest, destination_path (UTF-8; relative to the process's directory if it is
 * relative) and options (NULL: the defaults) are copied.
 *
 * OK: *operation is the caller's, to be ended by wslimage_operation_free; its result is taken by
 * wslimage_operation_take_file. Otherwise *operation is NULL and *error, if error is not NULL, is the caller's:
 * INVALID_ARGUMENT for a pointer that is NULL, text that is not UTF-8, a wrong size, a format that is none;
 * PANIC.
 */
wslimage_status wslimage_pull_start(struct wslimage_client *client,
                                    const struct wslimage_manifest *manifest,
                                    const char *destination_path,
                                    const struct wslimage_pull_options *options,
                                    struct wslimage_operation **operation,
                                    struct wslimage_error **error);

/**
 * Takes the result of wslimage_pull_start, once. Any thread.
 *
 * OK: *file is the caller's, to be ended by wslimage_file_free, which leaves the file on disk as it is. PENDING: the
 * operation goes on. Otherwise *file is NULL and *error, if error is not NULL, is the caller's:
 * FAILED, CANCELLED or PANIC as the operation ended (as often as it is asked for);
 * INVALID_ARGUMENT for a pointer that is NULL, an operation of another sort, a result that was taken before.
 */
wslimage_status wslimage_operation_take_file(struct wslimage_operation *operation,
                                             struct wslimage_file **file,
                                             struct wslimage_error **error);

/**
 * Where the file is, as an absolute path.
 */
const char *wslimage_file_path(const struct wslimage_file *file);

/**
 * The digest of the bytes on disk, "sha256:...".
 */
const char *wslimage_file_digest(const struct wslimage_file *file);

/**
 * The length of the file in bytes.
 */
uint64_t wslimage_file_size(const struct wslimage_file *file);

/**
 * Ends what is known of a file, not the file. NULL is fine. Nobody may use it any more.
 */
void wslimage_file_free(struct wslimage_file *file);

/**
 * The cache in the folder path, which need not exist: nothing is made by this call. Any thread; path (UTF-8; relative
 * to the process's directory if it is relative) is copied.
 *
 * OK: *cache is the caller's, to be ended by wslimage_cache_free. Otherwise *cache is NULL and *error, if error is not
 * NULL, is the caller's:
 * FAILED with WSLIMAGE_ERROR_KIND_FILE where something else than a folder has that name;
 * INVALID_ARGUMENT for a pointer that is NULL, text that is not UTF-8;
 * PANIC.
 */
wslimage_status wslimage_cache_new(const char *path, struct wslimage_cache **cache, struct wslimage_error **error);

/**
 * Reads what a cache holds. Any thread; returns when the folder is read.
 *
 * OK: *entries is the caller's, to be ended by wslimage_cache_entries_free; it does not need the cache. Otherwise
 * *entries is NULL and *error, if error is not NULL, is the caller's:
 * FAILED with WSLIMAGE_ERROR_KIND_FILE where the folder cannot be read (one that does not exist is empty);
 * INVALID_ARGUMENT for a pointer that is NULL;
 * PANIC.
 */
wslimage_status wslimage_cache_read(const struct wslimage_cache *cache,
                                    struct wslimage_cache_entries **entries,
                                    struct wslimage_error **error);

/**
 * Removes blobs from a cache, and what interrupted processes have left behind; what is in use stays. filter NULL: all
 * blobs. removed may be NULL; else the caller sets removed->size before. Any thread; returns when it is done.
 *
 * OK. Otherwise what was removed before is gone, and *error, if error is not NULL, is the caller's:
 * FAILED with WSLIMAGE_ERROR_KIND_FILE where the folder cannot be read or a file cannot be removed, or with
 * WSLIMAGE_ERROR_KIND_INVALID_REFERENCE for a digest that is none;
 * INVALID_ARGUMENT for cache NULL, a wrong size, text that is not UTF-8, a filter by digest and by time;
 * PANIC.
 */
wslimage_status wslimage_cache_remove(const struct wslimage_cache *cache,
                                      const struct wslimage_cache_filter *filter,
                                      struct wslimage_cache_removed *removed,
                                      struct wslimage_error **error);

/**
 * How many blobs there are; 0 for NULL.
 */
size_t wslimage_cache_entries_count(const struct wslimage_cache_entries *entries);

/**
 * The digest of a blob, "sha256:...", 0 being the one that was used last; NULL after the last, and for NULL.
 */
const char *wslimage_cache_entries_digest(const struct wslimage_cache_entries *entries, size_t index);

/**
 * The file of a blob, as an absolute path; NULL after the last, and for NULL.
 */
const char *wslimage_cache_entries_path(const struct wslimage_cache_entries *entries, size_t index);

/**
 * The length of a blob in bytes; 0 after the last, and for NULL.
 */
uint64_t wslimage_cache_entries_size(const struct wslimage_cache_entries *entries, size_t index);

/**
 * When a blob was used last, in milliseconds since 1970-01-01 00:00 UTC; 0 after the last, and for NULL.
 */
int64_t wslimage_cache_entries_last_used_ms(const struct wslimage_cache_entries *entries, size_t index);

/**
 * Ends a list of blobs and its strings, not the blobs. NULL is fine. Nobody may use it any more.
 */
void wslimage_cache_entries_free(struct wslimage_cache_entries *entries);

/**
 * Ends what is known of a cache, not the cache. NULL is fine. Nobody may use it any more.
 */
void wslimage_cache_free(struct wslimage_cache *cache);

#if defined(WSLIMAGE_TEST_PANIC)
/**
 * Panics in the call itself. PANIC, with *error.
 */
wslimage_status wslimage_test_panic(struct wslimage_error **error);
#endif

#if defined(WSLIMAGE_TEST_PANIC)
/**
 * Starts an operation whose task panics. Its result would be a file.
 */
wslimage_status wslimage_test_panic_task_start(struct wslimage_operation **operation, struct wslimage_error **error);
#endif

#if defined(WSLIMAGE_TEST_PANIC)
/**
 * Starts an operation that has something done on a thread beside its task, which panics there. Its result would be a
 * file.
 */
wslimage_status wslimage_test_panic_thread_start(struct wslimage_operation **operation, struct wslimage_error **error);
#endif

#if defined(WSLIMAGE_TEST_PANIC)
/**
 * As wslimage_pull_start, with a panic in the middle of the download, when the first bytes are told of.
 */
wslimage_status wslimage_test_panic_pull_start(struct wslimage_client *client,
                                               const struct wslimage_manifest *manifest,
                                               const char *destination_path,
                                               struct wslimage_operation **operation,
                                               struct wslimage_error **error);
#endif

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* WSLIMAGE_H */
