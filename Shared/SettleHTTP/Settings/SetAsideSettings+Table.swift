public import Settle
public import SettleServiceKit

extension SetAsideSettings {
    /// What an operator may set about messages that cannot be handled at once.
    public static let table = SettingsTable(
        SetAsideSettings(),
        [
            .integer(
                "set-aside-max-failures", \.maxFailures, in: 1...1_000_000,
                "How often a message is tried that fails for an unknown reason; then it is a dead letter."),
            .duration(
                "set-aside-give-up-after", \.giveUpAfter, in: .seconds(1)...Duration.seconds(366 * 86400),
                "How long a message waits for a held row; then it is a dead letter."),
            .integer(
                "set-aside-max-waiting", \.maxWaiting, in: 1...1_000_000, "How many messages may wait, set aside."),
        ])
}
