public import Postgres

/// The tables of the common module, for a service's migrator.
public enum SettleSchema {
    /// `task` and `task_his`, for a service that sends tasks.
    public static let tasks = [
        Migration(name: "settle_0001_tasks", bytes: PackageResources.settle_0001_tasks_sql)
    ]
}
