public import SettlePostgres

/// The tables of the user-points service.
public enum PointsSchema {
    /// In the order in which they are applied.
    public static let migrations = MigrationSet(
        "user-points",
        [
            Migration(name: "points_0001_users", bytes: PackageResources.points_0001_users_sql),
            Migration(name: "points_0002_spending", bytes: PackageResources.points_0002_spending_sql),
            Migration(name: "points_0004_customers", bytes: PackageResources.points_0004_customers_sql),
            Migration(name: "points_0005_ledger", bytes: PackageResources.points_0005_ledger_sql),
        ])
}
