/// What grows from run to run.
enum ScalePart: String, CaseIterable, Codable, Sendable {
    /// Rows of orders, of their archived tasks, and of what their participants remember.
    case rows
    /// Clients of a closed loop.
    case clients
    /// Tasks that wait when the receiver, or the broker, comes back.
    case backlog
    /// Processes of each service.
    case replicas
    /// The time for which somebody else has had a snapshot open.
    case snapshot
    /// Nothing at all.
    case idle

    /// Above its table.
    var title: String {
        switch self {
        case .rows: "rows in each of orders, order_item, task_his, point_log, stock_log, branch and global_transaction"
        case .clients: "clients of a closed loop"
        case .backlog: "tasks that wait when what was away comes back; settled/s is from then on"
        case .replicas: "processes of each service, on the same processors"
        case .snapshot: "a snapshot (REPEATABLE READ, idle) held open in each database, and the same without one"
        case .idle: "nothing to do"
        }
    }
}
