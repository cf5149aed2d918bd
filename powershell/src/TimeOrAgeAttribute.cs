using System;
using System.Globalization;
using System.Management.Automation;

namespace WslImage;

/// <summary>Takes a time, or an age: a TimeSpan such as 30.00:00:00, which is that long before now.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class TimeOrAgeAttribute : ArgumentTransformationAttribute
{
    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData)
    {
        object? value = inputData is PSObject wrapped ? wrapped.BaseObject : inputData;
        if (value is string text && TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out TimeSpan parsed))
        {
            value = parsed;
        }
        switch (value)
        {
            case TimeSpan age when age < TimeSpan.Zero:
                throw new ArgumentTransformationMetadataException($"The age {age} is negative.");
            case TimeSpan age:
                DateTime now = DateTime.Now;
                return age < now - DateTime.MinValue ? now - age : DateTime.MinValue;
            case DateTimeOffset time:
                return time.LocalDateTime;
            case int or long or double:
                // The engine would take it as ticks since the year 1.
                throw new ArgumentTransformationMetadataException(
                    $"{value} is neither a time nor an age; an age of {value} days is written {value}.00:00:00.");
            case string given when !DateTime.TryParse(given, CultureInfo.InvariantCulture, DateTimeStyles.None, out _):
                throw new ArgumentTransformationMetadataException(
                    $"'{given}' is neither a time such as 2024-03-01 nor an age such as 30.00:00:00, which is 30 days.");
            default:
                return inputData;
        }
    }
}
