import SettleCore
public import Foundation
public import Logging
public import ServiceLifecycle
public import SettlePostgres

/// Sends messages through a message centre: a service of its own that keeps them until they are acknowledged.
///
/// Before its business a producer saves a *pre-message*, which the centre prepares meanwhile; the business transaction calls
/// ``done(_:in:)``; after its commit the message is confirmed, and the centre sends it. What is lost on the way is told the
/// centre again, or asked back by it: ``verdicts(on:)``.
///
///     let message = try MessageDraft(route, businessKey: order.id, body: order)
///     try await producer.save(message)
///     try await database.transaction { transaction in
///         transaction.add("INSERT INTO orders …")
///         producer.done([message.id], in: transaction)
///     }
public final class MessageProducer: Service {
    private let sender: MessageSender
    private let relay: ProducerRelay
    private let store: MessageStore
    private let saves: Batcher<MessageDraft, Void>
    private let outcomes: OutcomeReceiver

    /// - Parameters:
    ///   - settings: how patient it is.
    ///   - database: the one that the business transactions are of, where `settle.pre_message` is.
    ///   - outcomesDatabase: the same; it should not wait long for a lock.
    ///   - centre: keeps the messages.
    ///   - keys: to sign the messages with.
    ///   - failpoints: where to crash on demand, in tests.
    ///   - logger: gets a line for all that an operator should know.
    ///   - outcome: what follows from what consumers say; nil: nobody is told.
    public init(
        settings: MessageSettings = MessageSettings(), database: PostgresDatabase,
        outcomesDatabase: PostgresDatabase? = nil, centre: any MessageCentrePeer, keys: MessageKeys = .none,
        failpoints: Failpoints = .none, logger: Logger, outcome: MessageOutcomeHandler?
    ) {
        let store = MessageStore(database: database, settings: settings)
        let sender = MessageSender(store: store)
        self.store = store
        self.sender = sender
        outcomes = OutcomeReceiver(
            store: MessageStore(database: outcomesDatabase ?? database, settings: settings), sender: sender,
            failpoints: failpoints, logger: logger, handler: outcome ?? { _, _, _ in })
        relay = ProducerRelay(
            sender: sender, centre: centre, outcomes: outcomes, keys: keys, wantsOutcomes: outcome != nil,
            failpoints: failpoints, logger: logger)
        saves = Batcher(
            limit: 64, patience: .milliseconds(50), maxWaiting: 4096, maxBytes: 32 << 20, size: \.roughSize,
            span: "save message"
        ) { drafts in
            try await database.transaction(
                bytes: drafts.reduce(0) { $0 + $1.roughSize }, caller: "save messages"
            ) { transaction in
                store.insert(drafts, isDone: false, in: transaction)
            }
            failpoints.reachCommitted("producer.saved")
            sender.saved(drafts)
            return drafts.map { _ in () }
        }
    }

    /// Runs until graceful shutdown; then tells the centre what was committed already, and returns.
    public func run() async throws { await relay.run() }

    /// Saves a pre-message, durably; the centre prepares it while the business is done.
    ///
    /// - Throws: `PostgresError`; `BatcherFull`. Then nothing is sent.
    public func save(_ draft: MessageDraft) async throws { try await saves.submit(draft) }

    /// Has the messages sent if, and only if, this transaction commits: the business that they tell of.
    ///
    /// The transaction fails when one of them was given up, which may be from the deadline on: see ``MessageGivenUp``.
    /// Nothing is waited for, so the statement travels in the transaction's own round trip.
    public func done(_ ids: [UUID], in transaction: borrowing PostgresTransaction) {
        sender.complete(ids, in: transaction)
    }

    /// Saves messages and has them sent, both with this transaction: see ``MessageSender/add(_:in:)``.
    public func add(_ drafts: [MessageDraft], in transaction: borrowing PostgresTransaction) {
        sender.add(drafts, in: transaction)
    }

    /// Whether the business of each message is done.
    ///
    /// A transaction that is open, or has not begun, is no "no": until the deadline it is asked again, and after it the
    /// message is given up first, so that a late commit fails. Of what nothing is known here nothing is said either.
    public func verdicts(on ids: [UUID]) async throws -> [UUID: MessageVerdict] {
        try await store.giveUpLate(ids)
        let known = try await store.verdicts(on: ids)
        return ids.reduce(into: [:]) { $0[$1] = known[$1] ?? .undecided }
    }

    /// Takes what consumers said; returns those that are taken, now or before. The others are to be told again.
    public func take(_ said: [MessageOutcome]) async throws -> [UUID] { try await outcomes.take(said) }

    /// The messages about `businessKey`, live and archived, oldest first.
    public func messages(about businessKey: String) async throws -> [MessageRecord] {
        try await store.messages(about: businessKey)
    }
}
