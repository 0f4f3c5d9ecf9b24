public import Settle
public import SettleServiceKit

extension TransactionSettings {
    private static let sensible = Duration.milliseconds(10)...Duration.seconds(24 * 3600)

    /// What an operator may set about global transactions, of those who begin them and of those who take part.
    public static let table = SettingsTable(
        TransactionSettings(),
        [
            .duration(
                "transaction-deadline", \.deadline, in: sensible,
                "How long a global transaction may take until its decision."),
            .duration(
                "transaction-check-after", \.checkAfter, in: sensible,
                "When a participant asks about a branch it has heard nothing of."),
            .duration(
                "row-lock-timeout", \.lockTimeout, in: sensible,
                "How long a branch waits for a row that another global transaction holds."),
            .duration(
                "transaction-resource-timeout", \.resourceTimeout, in: sensible,
                "How long a branch in mode 'mt' waits for its resource, at each call."),
            .duration(
                "transaction-retention", \.retention, in: .milliseconds(10) ... .seconds(366 * 24 * 3600),
                "How long ended branches and decisions are kept, to recognise late copies."),
            .integer(
                "transaction-max-rows", \.maxRows, in: 1...1_000_000,
                "How many changes of rows a branch in mode 'at' may make."),
        ]
    ) { settings throws(SettingsError) in
        guard settings.retention > settings.deadline else {
            throw SettingsError("transaction-retention", "longer than TRANSACTION_DEADLINE is expected")
        }
    }
}
