public import Settle
public import SettleServiceKit

extension ReconciliationSettings {
    private static let day: Duration = .seconds(24 * 3600)

    /// What an operator may set about comparing the books.
    public static let table = SettingsTable(
        ReconciliationSettings(),
        [
            .duration(
                "reconciliation-interval", \.interval, in: .zero...(day * 366),
                "How often the books are compared; 0s: only when an operator asks for it."),
            .duration(
                "reconciliation-settling", \.settling, in: .milliseconds(10)...day,
                "What is younger is not compared: it may still be on its way."),
        ])
}
