import Foundation
import ServiceLifecycle
import SettlePostgres
import SettleSchema
import SettleTestSupport
import Synchronization
import Testing

@testable import Settle

@Suite("A producer of messages", .enabled(if: Testbed.postgresURL != nil), .timeLimit(.minutes(2)))
struct MessageProducerTests {
    private struct Bed {
        let database: TestDatabase
        let centre: InMemoryCentre
        let producer: MessageProducer
        /// What the handler was told, in order.
        let said: Said

        func draft(_ key: String = "order-1") throws -> MessageDraft {
            try MessageDraft(
                MessageRoute(type: "deduct", exchange: "shop", routingKey: "centre.deduct", queue: "q"),
                businessKey: key, body: ["order": key])
        }

        func status(of id: UUID) async throws -> String? {
            try await producer.messages(about: "order-1").first { $0.id == id }?.status
        }
    }

    private final class Said: Sendable {
        let answers = Mutex<[TaskAnswer]>([])
        let hasFailed = Mutex(false)
    }

    private struct Stubborn: Error {}

    /// - Parameters:
    ///   - deadline: of a pre-message.
    ///   - lease: how long the producer leaves it alone itself.
    ///   - follow: whether an outcome is followed by a further message.
    private func withProducer(
        deadline: Duration = .seconds(60), lease: Duration = .milliseconds(300), outcomes: Bool = true,
        follow: Bool = false, fails: Bool = false,
        _ body: (Bed) async throws -> Void
    ) async throws {
        try await TestDatabase.with { database in
            try await PostgresMigrator.apply(SettleSchema.messages, on: database.pool)
            var settings = MessageSettings()
            settings.deadline = deadline
            settings.tasks.lease = lease
            settings.tasks.scanInterval = .milliseconds(50)
            let said = Said()
            let centre = InMemoryCentre()
            let handler: MessageOutcomeHandler = { transaction, messages, sender in
                if fails, messages.contains(where: { $0.businessKey == "bad" }) { throw Stubborn() }
                said.answers.withLock { $0 += messages.map(\.answer) }
                transaction.add("UPDATE balance SET amount = amount + $1", [.int(messages.count)])
                guard follow else { return }
                let route = MessageRoute(type: "add", exchange: "shop", routingKey: "centre.add", queue: "q2")
                sender.add(
                    try messages.map { try MessageDraft(route, businessKey: $0.businessKey, body: $0.body) },
                    in: transaction)
            }
            let producer = MessageProducer(
                settings: settings, database: database.pool, centre: centre, logger: quiet,
                outcome: outcomes ? handler : nil)
            let bed = Bed(database: database, centre: centre, producer: producer, said: said)
            try await serving([producer]) { try await body(bed) }
        }
    }

    private func done(_ bed: Bed, _ ids: [UUID]) async throws {
        try await bed.database.pool.transaction { [producer = bed.producer] transaction in
            producer.done(ids, in: transaction)
        }
    }

    private func awaitConfirmed(_ bed: Bed, _ id: UUID) async throws {
        try await eventually("the centre has the confirmation") {
            bed.centre.state.withLock { $0.confirmed.contains(id) }
        }
    }

    @Test("what is saved is prepared before its business is done, and confirmed after that commit")
    func order() async throws {
        try await withProducer { bed in
            let draft = try bed.draft()
            try await bed.producer.save(draft)
            try await eventually { bed.centre.state.withLock { $0.prepared[draft.id] != nil } }
            #expect(bed.centre.state.withLock { $0.confirmed.isEmpty })
            try await done(bed, [draft.id])
            try await awaitConfirmed(bed, draft.id)
            let prepared = try #require(bed.centre.state.withLock { $0.prepared[draft.id] })
            #expect(prepared.body == #"{"order":"order-1"}"# && prepared.wantsOutcome)
            #expect(try await bed.producer.verdicts(on: [draft.id]) == [draft.id: .done])
        }
    }

    @Test("a centre that is away is told what it missed when it is back, and nobody waits for it")
    func away() async throws {
        try await withProducer { bed in
            bed.centre.state.withLock { $0.isAway = true }
            let drafts = try (1...30).map { try bed.draft("order-\($0)") }
            for draft in drafts {
                try await bed.producer.save(draft)
                try await done(bed, [draft.id])
            }
            #expect(bed.centre.state.withLock { $0.prepared.isEmpty })
            bed.centre.state.withLock { $0.isAway = false }
            for draft in drafts { try await awaitConfirmed(bed, draft.id) }
        }
    }

    @Test("an open transaction is no 'no', though the deadline is over; it commits, and the answer is 'done'")
    func openTransaction() async throws {
        try await withProducer(deadline: .milliseconds(1), lease: .seconds(60)) { bed in
            let draft = try bed.draft()
            let gate = Gate()
            try await bed.producer.save(draft)
            let open = Task { [pool = bed.database.pool, producer = bed.producer] in
                try await pool.transaction { transaction in
                    producer.done([draft.id], in: transaction)
                    // It holds the message now, and is not committed.
                    _ = try transaction.query("SELECT 1")
                    gate.pass()
                }
            }
            try await gate.reached()
            try await Task.sleep(for: .milliseconds(20))
            let begin = ContinuousClock.now
            #expect(try await bed.producer.verdicts(on: [draft.id]) == [draft.id: .undecided])
            #expect(ContinuousClock.now - begin < .seconds(10), "nobody waits for it")
            gate.open()
            try await open.value
            #expect(try await bed.producer.verdicts(on: [draft.id]) == [draft.id: .done])
            try await awaitConfirmed(bed, draft.id)
        }
    }

    @Test("a transaction that has not begun is waited for until the deadline; then 'not done', and it commits no more")
    func lateTransaction() async throws {
        try await withProducer(lease: .seconds(60)) { bed in
            let draft = try bed.draft()
            try await bed.producer.save(draft)
            #expect(try await bed.producer.verdicts(on: [draft.id]) == [draft.id: .undecided])
            _ = try await bed.database.pool.query("UPDATE settle.pre_message SET deadline = now()")
            #expect(try await bed.producer.verdicts(on: [draft.id]) == [draft.id: .notDone])
            let error = await #expect(throws: PostgresError.self) {
                try await bed.database.pool.transaction { [producer = bed.producer] transaction in
                    transaction.add("UPDATE balance SET amount = 77")
                    producer.done([draft.id], in: transaction)
                }
            }
            #expect(error.flatMap(MessageGivenUp.init) != nil)
            #expect(try await bed.status(of: draft.id) == "void")
            let amount = try await bed.database.pool.query("SELECT amount FROM balance")[0].decode(Int.self, at: 0)
            #expect(amount == 0)
        }
    }

    @Test("what nobody asks about is given up by the producer itself, after the deadline")
    func givenUp() async throws {
        try await withProducer(deadline: .milliseconds(200)) { bed in
            let draft = try bed.draft()
            try await bed.producer.save(draft)
            try await eventually { try await bed.status(of: draft.id) == "void" }
        }
    }

    @Test("of what is not known here nothing is said")
    func unknown() async throws {
        try await withProducer { bed in
            let id = UUID()
            let verdicts = try await bed.producer.verdicts(on: [id])
            #expect(verdicts == [id: .undecided])
        }
    }

    @Test("an outcome is followed once, however often it is told, and in one transaction with what follows")
    func outcomes() async throws {
        try await withProducer(follow: true) { bed in
            let draft = try bed.draft()
            try await bed.producer.save(draft)
            try await done(bed, [draft.id])
            try await awaitConfirmed(bed, draft.id)
            let outcome = MessageOutcome(id: draft.id, rejection: "no stock")
            for _ in 0..<3 { #expect(try await bed.producer.take([outcome, outcome]) == [draft.id]) }
            #expect(bed.said.answers.withLock { $0 } == [.rejected(reason: "no stock")])
            #expect(try await bed.status(of: draft.id) == "rejected")
            // The message that follows is done by that very transaction: nothing is prepared before, nothing asked back.
            let next = try #require(try await bed.producer.messages(about: "order-1").first { $0.type == "add" })
            try await awaitConfirmed(bed, next.id)
        }
    }

    @Test("one outcome that cannot be followed keeps none of its neighbours waiting, and comes again")
    func badNeighbour() async throws {
        try await withProducer(fails: true) { bed in
            let drafts = try ["good", "bad", "fine"].map { try bed.draft($0) }
            for draft in drafts {
                try await bed.producer.save(draft)
                try await done(bed, [draft.id])
            }
            let taken = try await bed.producer.take(drafts.map { MessageOutcome(id: $0.id, rejection: nil) })
            #expect(Set(taken) == [drafts[0].id, drafts[2].id])
        }
    }

    @Test("a message that was discarded before it was confirmed is rejected")
    func discarded() async throws {
        try await withProducer { bed in
            let draft = try bed.draft()
            bed.centre.state.withLock { _ = $0.discarded.insert(draft.id) }
            try await bed.producer.save(draft)
            try await done(bed, [draft.id])
            try await eventually { try await bed.status(of: draft.id) == "rejected" }
            #expect(bed.said.answers.withLock { $0 } == [.rejected(reason: "discarded at the message centre")])
        }
    }

    @Test("where nobody wants outcomes a message is archived once it is confirmed")
    func withoutOutcomes() async throws {
        try await withProducer(outcomes: false) { bed in
            let draft = try bed.draft()
            try await bed.producer.save(draft)
            try await done(bed, [draft.id])
            try await eventually { try await bed.status(of: draft.id) == "confirmed" }
            #expect(try await bed.producer.verdicts(on: [draft.id]) == [draft.id: .done])
        }
    }

    @Test("what ended long ago is forgotten, and nothing else")
    func purge() async throws {
        try await withProducer { bed in
            let draft = try bed.draft()
            try await bed.producer.save(draft)
            try await done(bed, [draft.id])
            _ = try await bed.producer.take([MessageOutcome(id: draft.id, rejection: nil)])
            let store = MessageStore(database: bed.database.pool, settings: MessageSettings())
            #expect(try await store.purge(after: nil, retention: .seconds(3600)).purged == 0)
            #expect(try await store.purge(after: nil, retention: .zero).purged == 1)
        }
    }
}
