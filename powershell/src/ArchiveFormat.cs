namespace WslImage;

/// <summary>What a file is written as. The values are those of the native library, and never change.</summary>
public enum ArchiveFormat
{
    /// <summary>A tar archive, compressed with gzip, which is what WSL recommends.</summary>
    TarGz = 0,

    /// <summary>A tar archive as it is.</summary>
    Tar = 1,

    /// <summary>A tar archive, compressed with xz.</summary>
    TarXz = 2,

    /// <summary>The blob of the only layer, whatever it is.</summary>
    Original = 3,
}
