public import Settle
public import SettleServiceKit

extension MessageSettings {
    /// What an operator may set about the messages that a producer gives to a message centre; the rest is as with tasks.
    public static let table = SettingsTable(
        MessageSettings(),
        [
            .duration(
                "message-deadline", \.deadline, in: .milliseconds(100)...Duration.seconds(24 * 3600),
                "How long after a pre-message was saved its transaction may commit.")
        ])
}
