import SettleCore
import SettlePostgres
import Synchronization

/// One request for a part, done in one local transaction together with the memory of it.
final class FirstPhase: Sendable {
    let handler: BranchHandler
    let request: String
    let context: BranchContext
    private let prepared: PreparedTransactions
    private let settings: TransactionSettings
    private let failpoints: Failpoints
    private let lastAnswer = Mutex<String?>(nil)

    init(
        handler: BranchHandler, request: String, context: BranchContext, prepared: PreparedTransactions,
        settings: TransactionSettings, failpoints: Failpoints
    ) {
        self.handler = handler
        self.request = request
        self.context = context
        self.prepared = prepared
        self.settings = settings
        self.failpoints = failpoints
    }

    /// What the action answered last, whatever became of its transaction then.
    var answer: String? { lastAnswer.withLock { $0 } }

    /// - Parameter lockWait: how long each statement waits for a row that PostgreSQL itself holds: short, since a connection
    ///   that waits is kept from others, and a prepared transaction may hold a row for long.
    func perform(in database: PostgresDatabase, lockWait: Duration) async throws -> String {
        try failpoints.reach("branch.beforeCommit")
        let isXA = context.mode == .xa
        let answer = try await database.transaction(
            ending: isXA
                ? .prepare(gid: try prepared.gid(context, timeLeft: context.timeLeft(standard: settings.deadline)))
                : .commit
        ) { [self] transaction in
            let isAT = context.mode == .at
            transaction.add(
                "SELECT set_config('settle.xid', $1, true), set_config('lock_timeout', $2, true)"
                    // What this connection had written before, as PostgreSQL's counters do not begin with a transaction.
                    + (isAT ? ", set_config('settle.written', settle.at_written(), true)" : ""),
                [.text(isAT ? context.xid.rawValue : ""), .text("\(lockWait.milliseconds)ms")])
            let answer = try handler.perform(request, transaction)
            lastAnswer.withLock { $0 = answer }
            // Nobody could undo what was written to other tables. Like the next statement it waits for the commit's answer.
            if isAT { transaction.add("SELECT settle.at_confine()") }
            // A prepared branch is invisible until it is committed, so it says that it is.
            BranchStore.insert(
                context, action: handler.name, request: request, answer: answer,
                state: isXA ? .committed : .undecided, settings: settings, in: transaction)
            return answer
        }
        try failpoints.reach("branch.committed")
        return answer
    }
}
