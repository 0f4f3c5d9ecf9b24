public import SettleServiceKit

/// Whether the shop tells its customers apart.
public struct CustomerSettings: Sendable {
    /// False: anybody may order for any user.
    public internal(set) var areToldApart = false

    /// What an operator may set.
    public static let table = SettingsTable(
        CustomerSettings(),
        [
            .choice(
                "settle-customers", \.areToldApart, [("on", true), ("off", false)],
                "When on, ordering for a user, and reading one, needs that user's own token.")
        ])
}
