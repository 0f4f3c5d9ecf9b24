public import SettleServiceKit

/// How a service uses its database.
public struct DatabaseSettings: Sendable {
    /// Open at once; what messages do has some of its own.
    public internal(set) var connections = 8

    /// What an operator may set.
    public static let table = SettingsTable(
        DatabaseSettings(),
        [.integer("database-connections", \.connections, in: 1...200, "How many connections to the database are kept.")]
    )
}
