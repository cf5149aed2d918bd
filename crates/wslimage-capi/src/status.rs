//! What calls return, with the values that never change.

use library::{ErrorKind, Stage};

/// What a call returns: one of the WSLIMAGE_STATUS_ constants. The values never change their meaning.
pub type wslimage_status = i32;

/// Done, or ended.
pub const WSLIMAGE_STATUS_OK: wslimage_status = 0;
/// The operation goes on.
pub const WSLIMAGE_STATUS_PENDING: wslimage_status = 1;
/// The operation was cancelled.
pub const WSLIMAGE_STATUS_CANCELLED: wslimage_status = 2;
/// It did not work; the error handle says why.
pub const WSLIMAGE_STATUS_FAILED: wslimage_status = 3;
/// The call itself is wrong: a null pointer, a size that no version of the struct has, text that is not UTF-8, an
/// operation of another sort. The error handle, where the function has one, says which.
pub const WSLIMAGE_STATUS_INVALID_ARGUMENT: wslimage_status = 4;
/// A defect in the library; the error handle says where.
pub const WSLIMAGE_STATUS_PANIC: wslimage_status = 5;

/// What went wrong: one of the WSLIMAGE_ERROR_KIND_ constants. The values never change their meaning; later versions
/// may have more.
pub type wslimage_error_kind = u32;

/// A wrong call, or an option that cannot be used: a CA file that cannot be read, a platform that is not
/// OS/ARCHITECTURE.
pub const WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT: wslimage_error_kind = 1;
/// A registry, name, tag or digest that is not well formed.
pub const WSLIMAGE_ERROR_KIND_INVALID_REFERENCE: wslimage_error_kind = 2;
/// 401 by the registry or the token service.
pub const WSLIMAGE_ERROR_KIND_UNAUTHORIZED: wslimage_error_kind = 3;
/// 403 by the registry or the token service.
pub const WSLIMAGE_ERROR_KIND_DENIED: wslimage_error_kind = 4;
/// 404 for a manifest: "Image not found: REGISTRY/NAME:TAG".
pub const WSLIMAGE_ERROR_KIND_NOT_FOUND: wslimage_error_kind = 5;
/// 404 for a blob that the manifest names.
pub const WSLIMAGE_ERROR_KIND_BLOB_NOT_FOUND: wslimage_error_kind = 6;
/// 429: too many requests.
pub const WSLIMAGE_ERROR_KIND_RATE_LIMITED: wslimage_error_kind = 7;
/// Any other status that is not success.
pub const WSLIMAGE_ERROR_KIND_SERVER: wslimage_error_kind = 8;
/// Name lookup, refused or reset connection, a body cut short.
pub const WSLIMAGE_ERROR_KIND_CONNECTION: wslimage_error_kind = 9;
/// The TLS handshake or the server's certificate.
pub const WSLIMAGE_ERROR_KIND_TLS: wslimage_error_kind = 10;
/// No answer, or no byte, in time.
pub const WSLIMAGE_ERROR_KIND_TIMEOUT: wslimage_error_kind = 11;
/// An answer that is not what the protocol says: not JSON, too large, a bad redirect.
pub const WSLIMAGE_ERROR_KIND_INVALID_RESPONSE: wslimage_error_kind = 12;
/// No manifest for the platform asked for; the message says which there are.
pub const WSLIMAGE_ERROR_KIND_NO_PLATFORM: wslimage_error_kind = 13;
/// An image of a form that cannot become an archive: no layers, layers that are no archives, Docker schema 1, or no image
/// for Linux at all.
pub const WSLIMAGE_ERROR_KIND_UNSUPPORTED_IMAGE: wslimage_error_kind = 14;
/// Bytes that do not hash to their digest, or plain ones that do not hash to the DiffID.
pub const WSLIMAGE_ERROR_KIND_DIGEST_MISMATCH: wslimage_error_kind = 15;
/// The destination, or a file to be read: folder, permission, full disk.
pub const WSLIMAGE_ERROR_KIND_FILE: wslimage_error_kind = 16;
/// A secret would have gone over plain http, or https was redirected to http.
pub const WSLIMAGE_ERROR_KIND_INSECURE: wslimage_error_kind = 17;
/// The caller cancelled.
pub const WSLIMAGE_ERROR_KIND_CANCELLED: wslimage_error_kind = 18;
/// A defect in the library.
pub const WSLIMAGE_ERROR_KIND_INTERNAL: wslimage_error_kind = 19;
/// The proxy refused, or could not reach the registry.
pub const WSLIMAGE_ERROR_KIND_PROXY: wslimage_error_kind = 20;
/// A registry that the configuration of this machine blocks.
pub const WSLIMAGE_ERROR_KIND_BLOCKED: wslimage_error_kind = 21;

/// The part of the job that is being done, or that failed: one of the WSLIMAGE_STAGE_ constants. The values never
/// change their meaning.
pub type wslimage_stage = u32;

/// Nobody was asked anything yet.
pub const WSLIMAGE_STAGE_STARTING: wslimage_stage = 0;
/// The registry says how to sign in, and the token service is asked.
pub const WSLIMAGE_STAGE_AUTHENTICATING: wslimage_stage = 1;
/// Index, manifest and config are looked up.
pub const WSLIMAGE_STAGE_RESOLVING: wslimage_stage = 2;
/// The bytes of layers arrive.
pub const WSLIMAGE_STAGE_DOWNLOADING: wslimage_stage = 3;
/// An archive is written, if one has to be made; the file is verified, flushed and given its name.
pub const WSLIMAGE_STAGE_FINISHING: wslimage_stage = 4;
/// All is done.
pub const WSLIMAGE_STAGE_DONE: wslimage_stage = 5;

const _: () = {
    assert!(WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT == ErrorKind::InvalidArgument as u32);
    assert!(WSLIMAGE_ERROR_KIND_INVALID_REFERENCE == ErrorKind::InvalidReference as u32);
    assert!(WSLIMAGE_ERROR_KIND_UNAUTHORIZED == ErrorKind::Unauthorized as u32);
    assert!(WSLIMAGE_ERROR_KIND_DENIED == ErrorKind::Denied as u32);
    assert!(WSLIMAGE_ERROR_KIND_NOT_FOUND == ErrorKind::NotFound as u32);
    assert!(WSLIMAGE_ERROR_KIND_BLOB_NOT_FOUND == ErrorKind::BlobNotFound as u32);
    assert!(WSLIMAGE_ERROR_KIND_RATE_LIMITED == ErrorKind::RateLimited as u32);
    assert!(WSLIMAGE_ERROR_KIND_SERVER == ErrorKind::Server as u32);
    assert!(WSLIMAGE_ERROR_KIND_CONNECTION == ErrorKind::Connection as u32);
    assert!(WSLIMAGE_ERROR_KIND_TLS == ErrorKind::Tls as u32);
    assert!(WSLIMAGE_ERROR_KIND_TIMEOUT == ErrorKind::Timeout as u32);
    assert!(WSLIMAGE_ERROR_KIND_INVALID_RESPONSE == ErrorKind::InvalidResponse as u32);
    assert!(WSLIMAGE_ERROR_KIND_NO_PLATFORM == ErrorKind::NoPlatform as u32);
    assert!(WSLIMAGE_ERROR_KIND_UNSUPPORTED_IMAGE == ErrorKind::UnsupportedImage as u32);
    assert!(WSLIMAGE_ERROR_KIND_DIGEST_MISMATCH == ErrorKind::DigestMismatch as u32);
    assert!(WSLIMAGE_ERROR_KIND_FILE == ErrorKind::File as u32);
    assert!(WSLIMAGE_ERROR_KIND_INSECURE == ErrorKind::Insecure as u32);
    assert!(WSLIMAGE_ERROR_KIND_CANCELLED == ErrorKind::Cancelled as u32);
    assert!(WSLIMAGE_ERROR_KIND_INTERNAL == ErrorKind::Internal as u32);
    assert!(WSLIMAGE_ERROR_KIND_PROXY == ErrorKind::Proxy as u32);
    assert!(WSLIMAGE_ERROR_KIND_BLOCKED == ErrorKind::Blocked as u32);

    assert!(WSLIMAGE_STAGE_STARTING == Stage::Starting as u32);
    assert!(WSLIMAGE_STAGE_AUTHENTICATING == Stage::Authenticating as u32);
    assert!(WSLIMAGE_STAGE_RESOLVING == Stage::Resolving as u32);
    assert!(WSLIMAGE_STAGE_DOWNLOADING == Stage::Downloading as u32);
    assert!(WSLIMAGE_STAGE_FINISHING == Stage::Finishing as u32);
    assert!(WSLIMAGE_STAGE_DONE == Stage::Done as u32);
};
