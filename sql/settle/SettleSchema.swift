public import SettlePostgres

/// The tables of the common module, as sets for `PostgresMigrator.apply`; a service needs those that its roles name.
///
/// All but `task`, `task_his` and `task_pause` are in the schema `settle`.
public enum SettleSchema {
    /// `public.task`, `public.task_his` and `public.task_pause`, for a service that sends tasks.
    public static let tasks = tasks(in: .public)

    /// The same in a schema of the user's choice, where `public` holds a `task` already, or two senders share a database.
    /// `OutboxRelay` is told the same schema.
    public static func tasks(in schema: SchemaName) -> MigrationSet {
        MigrationSet(
            "settle-tasks", schema: schema,
            [
                Migration(name: "settle_0001_tasks", bytes: PackageResources.settle_0001_tasks_sql),
                Migration(name: "settle_0019_task_options", bytes: PackageResources.settle_0019_task_options_sql),
            ])
    }

    /// `settle.global_transaction` and `settle.branch`, for initiators and participants of global transactions.
    public static let transactions = MigrationSet(
        "settle-transactions",
        [
            Migration(name: "settle_0002_transactions", bytes: PackageResources.settle_0002_transactions_sql),
            Migration(name: "settle_0008_purge_and_names", bytes: PackageResources.settle_0008_purge_and_names_sql),
            Migration(name: "settle_0009_deadlines", bytes: PackageResources.settle_0009_deadlines_sql),
            Migration(name: "settle_0014_foreign_xids", bytes: PackageResources.settle_0014_foreign_xids_sql),
            Migration(name: "settle_0018_branches", bytes: PackageResources.settle_0018_branches_sql),
            Migration(name: "settle_0026_branch_refusal", bytes: PackageResources.settle_0026_branch_refusal_sql),
        ])

    /// The key of `settle.branch` that lets a transaction have several branches at a participant. After the application's own
    /// sets, whose earlier migrations may rely on the key before it.
    public static let branchKey = MigrationSet(
        "settle-branch-key",
        [Migration(name: "settle_0025_branch_key", bytes: PackageResources.settle_0025_branch_key_sql)])

    /// Mode `at`, for participants: `settle.enroll` and what stands behind it.
    public static let at = MigrationSet(
        "settle-at",
        [
            Migration(name: "settle_0003_at", bytes: PackageResources.settle_0003_at_sql),
            Migration(name: "settle_0004_at_enroll", bytes: PackageResources.settle_0004_at_enroll_sql),
            Migration(name: "settle_0005_at_reading", bytes: PackageResources.settle_0005_at_reading_sql),
            Migration(name: "settle_0006_at_rollback", bytes: PackageResources.settle_0006_at_rollback_sql),
            Migration(name: "settle_0010_at_capture", bytes: PackageResources.settle_0010_at_capture_sql),
            Migration(name: "settle_0011_at_obstacles", bytes: PackageResources.settle_0011_at_obstacles_sql),
            Migration(name: "settle_0012_at_checks", bytes: PackageResources.settle_0012_at_checks_sql),
        ])

    /// `settle.inbox`, for a service that lets the library remember which tasks it has done.
    public static let inbox = MigrationSet(
        "settle-inbox",
        [
            Migration(name: "settle_0013_inbox", bytes: PackageResources.settle_0013_inbox_sql)
        ])

    /// `settle.pre_message`, for a service whose messages a message centre keeps.
    public static let messages = MigrationSet(
        "settle-messages",
        [Migration(name: "settle_0015_messages", bytes: PackageResources.settle_0015_messages_sql)])

    /// `settle.ledger_adjustment`, for a service whose ledger is reconciled.
    public static let ledger = MigrationSet(
        "settle-ledger", [Migration(name: "settle_0016_ledger", bytes: PackageResources.settle_0016_ledger_sql)])

    /// `settle.reconciliation_run` and what it found and mended, for who compares the books.
    public static let reconciliation = MigrationSet(
        "settle-reconciliation",
        [Migration(name: "settle_0017_reconciliation", bytes: PackageResources.settle_0017_reconciliation_sql)])

    /// `settle.set_aside`, for a service that receives tasks or answers: what waits, and the dead letters.
    public static let setAside = MigrationSet(
        "settle-set-aside",
        [Migration(name: "settle_0007_set_aside", bytes: PackageResources.settle_0007_set_aside_sql)])
}
