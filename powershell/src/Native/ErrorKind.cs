namespace WslImage.Native;

/// <summary>The kinds of failures, as the native library numbers them.</summary>
internal enum ErrorKind : uint
{
    InvalidArgument = 1,
    InvalidReference = 2,
    Unauthorized = 3,
    Denied = 4,
    NotFound = 5,
    BlobNotFound = 6,
    RateLimited = 7,
    Server = 8,
    Connection = 9,
    Tls = 10,
    Timeout = 11,
    InvalidResponse = 12,
    NoPlatform = 13,
    UnsupportedImage = 14,
    DigestMismatch = 15,
    File = 16,
    Insecure = 17,
    Cancelled = 18,
    Internal = 19,
    Proxy = 20,
    Blocked = 21,
}
