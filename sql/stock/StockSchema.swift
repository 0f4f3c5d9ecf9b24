public import SettlePostgres

/// The tables of the stock service.
public enum StockSchema {
    /// In the order in which they are applied.
    public static let migrations = MigrationSet(
        "stock",
        [
            Migration(name: "stock_0001_products", bytes: PackageResources.stock_0001_products_sql),
            Migration(name: "stock_0002_enroll", bytes: PackageResources.stock_0002_enroll_sql),
            Migration(name: "stock_0003_ledger", bytes: PackageResources.stock_0003_ledger_sql),
            Migration(name: "stock_0004_flash", bytes: PackageResources.stock_0004_flash_sql),
        ])
}
