import ServiceLifecycle
import SettlePostgres
import SettleRabbitMQ
import SettleSchema
import Synchronization

/// What an application has said that it does.
final class Registry: Sendable {
    struct Content {
        var ownSets: [MigrationSet] = []
        /// Beside those that follow from the rest.
        var librarySets: [MigrationSet] = []
        /// The tasks that it sends.
        var sent: [TaskRoute] = []
        var received: [TaskRoute] = []
        /// The messages of a message centre that it consumes.
        var consumed: [MessageRoute] = []
        var producer: MessageProducer?
        /// The ledger that others compare with theirs.
        var ledger: DatabaseLedger?
        /// Compares those of others with what the application expects.
        var reconciler: Reconciler?
        /// Also where there is no broker.
        var usesMessageDatabase = false
        /// Make the subscriptions to tasks, and to answers.
        var receivers: [@Sendable (Assembly.Messaging) -> [Subscription]] = []
        var keepsInbox = false
        var participation: Settle.Participation?
        var initiation: Settle.Initiation?
        /// Of transports; they begin before what needs them.
        var services: [any Service] = []
    }

    private struct State {
        var content = Content()
        var isComplete = false
    }

    private let state = Mutex(State())

    /// - Precondition: the services were not read yet: what is said later would be left undone.
    func add(_ change: (inout Content) -> Void) {
        state.withLock { state in
            precondition(!state.isComplete, "say what the application does before its services are read")
            change(&state.content)
        }
    }

    /// From now on it stays as it is.
    ///
    /// - Precondition: it was not called before.
    func complete() -> Content {
        state.withLock { state in
            precondition(!state.isComplete, "an application is put together once")
            state.isComplete = true
            // What they make knows this registry; it need not know them any longer.
            defer { state.content.receivers = [] }
            return state.content
        }
    }

    func sends(_ route: TaskRoute) -> Bool { state.withLock { $0.content.sent.contains(route) } }

    var content: Content { state.withLock { $0.content } }

    /// The application's, and what of Settle's comes after them.
    var ownSets: [MigrationSet] {
        let content = content
        return content.ownSets + (content.participation == nil ? [] : [SettleSchema.branchKey])
    }

    /// Settle's own, for what the application does.
    ///
    /// - Parameter schema: of the tables of tasks.
    func librarySets(_ schema: SchemaName) -> [MigrationSet] {
        let content = content
        var sets: [MigrationSet] = []
        if !content.sent.isEmpty { sets.append(SettleSchema.tasks(in: schema)) }
        if content.participation != nil || content.initiation != nil { sets.append(SettleSchema.transactions) }
        if content.participation?.participant.offers(.at) ?? false { sets.append(SettleSchema.at) }
        if !content.sent.isEmpty || !content.received.isEmpty || !content.consumed.isEmpty {
            sets.append(SettleSchema.setAside)
        }
        if content.producer != nil { sets.append(SettleSchema.messages) }
        if content.reconciler != nil { sets.append(SettleSchema.reconciliation) }
        if content.ledger != nil { sets.append(SettleSchema.ledger) }
        if content.keepsInbox { sets.append(SettleSchema.inbox) }
        return sets + content.librarySets
    }
}
