namespace WslImage.Native;

/// <summary>The part of the job that is being done, in the order in which they come.</summary>
internal enum Stage : uint
{
    Starting = 0,
    Authenticating = 1,
    Resolving = 2,
    Downloading = 3,
    Finishing = 4,
    Done = 5,
}
