public import SettlePostgres

/// The tables of the order service.
public enum OrderSchema {
    /// In the order in which they are applied.
    public static let migrations = MigrationSet(
        "order",
        [
            Migration(name: "order_0001_orders", bytes: PackageResources.order_0001_orders_sql)
        ])
}
