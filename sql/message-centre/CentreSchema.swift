public import SettlePostgres

/// The table of the message centre.
public enum CentreSchema {
    /// In the order in which they are applied.
    public static let migrations = MigrationSet(
        "message-centre",
        [Migration(name: "centre_0001_messages", bytes: PackageResources.centre_0001_messages_sql)])
}
