using System;
using System.Management.Automation;

namespace WslImage;

/// <summary>Carries what an error record is made of up to the command, which ends with it.</summary>
internal sealed class FailureException : Exception
{
    private readonly string _id;
    private readonly ErrorCategory _category;
    private readonly object? _target;
    private readonly string? _recommendedAction;

    internal FailureException(
        WslImageDownloadException exception,
        string id,
        ErrorCategory category,
        object? target,
        string? recommendedAction = null)
        : base(exception.Message, exception)
    {
        _id = id;
        _category = category;
        _target = target;
        _recommendedAction = recommendedAction;
    }

    /// <summary>The record as ThrowTerminatingError of that command would complete it.</summary>
    /// <param name="command">The command that ends.</param>
    /// <param name="subject">What the command was about, where nothing closer is known.</param>
    internal ErrorRecord ErrorRecord(PSCmdlet command, string subject)
    {
        var record = new ErrorRecord(
            InnerException, $"{_id},{command.GetType().FullName}", _category, _target ?? subject);
        record.CategoryInfo.Activity = command.MyInvocation.MyCommand.Name;
        if (_recommendedAction is not null)
        {
            // The views show both texts, and the message ends with the advice.
            string message = Message.EndsWith(_recommendedAction, StringComparison.Ordinal)
                ? Message.Substring(0, Message.Length - _recommendedAction.Length).TrimEnd()
                : Message;
            record.ErrorDetails = new ErrorDetails(message) { RecommendedAction = _recommendedAction };
        }
        return record;
    }
}
