import SettleCore
import Foundation
import SettlePostgres

/// The tables `settle.pre_message` and `settle.message_his`: all that is done to them goes through here.
struct MessageStore: Sendable {
    /// A message that came due.
    struct Due: Sendable {
        let message: StoredMessage
        /// Its business is done.
        let isDone: Bool
        /// It is not, and its time is over.
        let isLate: Bool
    }

    let database: PostgresDatabase
    let settings: MessageSettings

    // MARK: Writing

    /// - Parameter isDone: the business of `drafts` is done by this very transaction.
    func insert(_ drafts: [MessageDraft], isDone: Bool, in transaction: borrowing PostgresTransaction) {
        transaction.add(
            Self.insertion,
            [
                .uuids(drafts.map(\.id)), .texts(drafts.map(\.route.type)), .texts(drafts.map(\.businessKey)),
                .texts(drafts.map(\.route.exchange)), .texts(drafts.map(\.route.routingKey)),
                .texts(drafts.map(\.body)), .texts(drafts.map(\.traceParent)), .text(isDone ? "done" : "pre"),
                .int(settings.deadline.milliseconds), .int(settings.tasks.lease.milliseconds),
            ])
    }

    /// Fails the transaction with `ST010` unless all of them wait for it still.
    func done(_ ids: [UUID], in transaction: borrowing PostgresTransaction) {
        transaction.add(Self.completion, [.uuids(ids)])
    }

    // MARK: Telling the centre

    /// Leases up to a batch of due messages to the caller.
    func claim() async throws -> [Due] {
        try await database.query(Self.claim(settings.tasks.batchSize), [.int(settings.tasks.lease.milliseconds)]).map {
            let columns = StoredMessage.columnCount
            return Due(
                message: try StoredMessage(row: $0), isDone: try $0.decode(Bool.self, at: columns),
                isLate: try $0.decode(Bool.self, at: columns + 1))
        }
    }

    /// The centre sends these: it is told again only if no outcome comes for long, later each time.
    func postpone(_ ids: [UUID]) async throws {
        _ = try await database.query(
            Self.postponement,
            [
                .uuids(ids), .int(settings.tasks.republishAfter.milliseconds),
                .int(settings.tasks.republishCap.milliseconds),
            ])
    }

    // MARK: The end

    /// Archives messages, inside `transaction`, and returns those that were live. Again, it finds nothing.
    ///
    /// - Parameter outcomes: no two with the same id.
    func archive(
        _ outcomes: [MessageOutcome], as finished: String = "finished", in transaction: borrowing PostgresTransaction
    ) throws -> [SettledMessage] {
        try transaction.query(
            Self.archive, [.uuids(outcomes.map(\.id)), .texts(outcomes.map(\.rejection)), .text(finished)]
        ).map { row in
            let message = try StoredMessage(row: row)
            let rejection = try row.decode(String?.self, at: StoredMessage.columnCount)
            return SettledMessage(
                id: message.id, type: message.type, businessKey: message.businessKey, body: message.body,
                answer: rejection.map { .rejected(reason: $0) } ?? .finished, traceParent: message.traceParent)
        }
    }

    /// Gives up those of `ids` whose transaction has not committed and whose time is over. One that its transaction holds
    /// just now is left as it is; nobody is waited for.
    func giveUpLate(_ ids: [UUID]) async throws {
        _ = try await database.query(Self.voiding, [.uuids(ids)])
    }

    /// What is known of each; nothing of those that are missing.
    func verdicts(on ids: [UUID]) async throws -> [UUID: MessageVerdict] {
        try await database.query(Self.verdicts, [.uuids(ids)]).reduce(into: [:]) { verdicts, row in
            verdicts[try row.decode(UUID.self, at: 0)] = MessageVerdict(
                rawValue: try row.decode(String.self, at: 1))
        }
    }

    // MARK: Operators

    /// The messages about `businessKey`, live and archived, oldest first.
    func messages(about businessKey: String) async throws -> [MessageRecord] {
        try await database.query(Self.about, [.text(businessKey)]).map(MessageRecord.init(row:))
    }

    /// How many wait for the centre or for their outcome, and for how long the oldest, in seconds.
    func backlog() async throws -> (count: Int, oldestAge: Double) {
        guard let row = try await database.query(Self.backlog).first else { return (0, 0) }
        return (try row.decode(Int.self, at: 0), try row.decode(Double.self, at: 1))
    }

    /// One batch of a purge: forgets archived messages with ids above `key` that ended longer ago than `retention`.
    func purge(after key: UUID?, retention: Duration) async throws -> PurgeWalk<UUID>.Step {
        let zero = UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
        let (batch, after) = (settings.tasks.batchSize, key ?? zero)
        let row = try await database.transaction { transaction in
            transaction.planAlongTheIndex()
            // An aggregate without GROUP BY: there always is a row.
            return try transaction.query(Self.purge(batch), [.int(retention.milliseconds), .uuid(after)])[0]
        }
        return PurgeWalk.Step(
            last: try row.decode(UUID?.self, at: 2), walked: try row.decode(Int.self, at: 0),
            purged: try row.decode(Int.self, at: 1))
    }
}

/// A pre-message as it stands in its table.
struct StoredMessage: Sendable {
    let id: UUID
    let type: String
    let businessKey: String
    let exchange: String
    let routingKey: String
    let body: String
    let traceParent: String?

    /// Of `settle.pre_message`.
    static let columns = "id, message_type, business_key, exchange, routing_key, body, traceparent"
    /// How many those are: what a statement returns besides comes after them.
    static let columnCount = 7

    init(_ draft: MessageDraft) {
        id = draft.id
        type = draft.route.type
        businessKey = draft.businessKey
        exchange = draft.route.exchange
        routingKey = draft.route.routingKey
        body = draft.body
        traceParent = draft.traceParent
    }

    init(row: PostgresRow) throws {
        id = try row.decode(UUID.self, at: 0)
        type = try row.decode(String.self, at: 1)
        businessKey = try row.decode(String.self, at: 2)
        exchange = try row.decode(String.self, at: 3)
        routingKey = try row.decode(String.self, at: 4)
        body = try row.decode(String.self, at: 5)
        traceParent = try row.decode(String?.self, at: 6)
    }
}
