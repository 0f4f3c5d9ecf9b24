import Foundation
import SettlePostgres
import SettleRabbitMQ
import SettleSchema
import ServiceLifecycle
import SettleTestSupport
import Synchronization
import Testing

@testable import Settle

/// What a stranger writes, on real servers.
@Suite(
    "Settle, from outside", .enabled(if: Testbed.postgresURL != nil && Testbed.amqpURL != nil), .timeLimit(.minutes(1)))
struct FacadeTests {
    struct Charge: Codable, Sendable {
        let id: String
        let amount: Int
    }

    struct Receipt: Codable, Sendable, Equatable {
        let number: Int
    }

    private let namespace = "facade-\(UUID().uuidString.prefix(8).lowercased())"
    private var charge: TaskType<Charge, Receipt> {
        TaskType("charge", in: namespace, body: Charge.self, answer: Receipt.self)
    }
    private var note: TaskType<Charge, Done> { TaskType("note", in: namespace, body: Charge.self) }

    private static let table = Migration(name: "log", sql: "CREATE TABLE log (id text PRIMARY KEY, said text NOT NULL)")

    private func app(_ name: String, _ database: TestDatabase, hook: MessageHook? = nil) throws -> Settle {
        var configuration = Settle.Configuration(
            app: "\(namespace)-\(name)", database: try PostgresConfiguration(url: database.url))
        configuration.broker = try RabbitMQConfiguration(url: try #require(Testbed.amqpURL))
        configuration.hook = hook
        let settle = Settle(configuration, logger: quiet)
        settle.migrations(name, [Self.table])
        return settle
    }

    @Test("a task goes out with its transaction, is done once, and its answer comes home with its type")
    func roundTrip() async throws {
        try await TestDatabase.empty { mine in
            try await TestDatabase.empty { theirs in
                let (charge, note) = (charge, note)
                let sender = try app("sender", mine)
                sender.sends(note)
                sender.answers(to: charge) { transaction, task, answer in
                    let said =
                        switch answer {
                        case .finished(let receipt): "number \(receipt.number)"
                        case .rejected(let reason): reason
                        }
                    transaction.add("INSERT INTO log VALUES ($1, $2)", [.text(task.body.id), .text(said)])
                    try transaction.send(note, businessKey: task.businessKey, task.body)
                }
                let receiver = try app("receiver", theirs)
                receiver.receive(charge, dedupKey: \.id) { charge, transaction in
                    transaction.add("INSERT INTO log VALUES ($1, 'charged')", [.text(charge.id)])
                    guard charge.amount <= 100 else { throw TaskRefusal("too much") }
                    return Receipt(number: charge.amount + 1)
                }
                receiver.receive(note, dedupKey: \.id) { charge, transaction in
                    transaction.add("INSERT INTO log VALUES ($1, 'noted')", [.text("note " + charge.id)])
                }
                try await serving(sender.services + receiver.services) {
                    try await sender.transaction { transaction in
                        try transaction.send(charge, businessKey: "a", Charge(id: "a", amount: 5))
                        try transaction.send(charge, businessKey: "b", Charge(id: "b", amount: 500))
                    }
                    await #expect(throws: CancellationError.self) {
                        try await sender.transaction { transaction in
                            try transaction.send(charge, businessKey: "c", Charge(id: "c", amount: 5))
                            throw CancellationError()
                        }
                    }
                    try await eventually {
                        try await mine.number("SELECT count(*) FROM settle.task_his") == 4
                    }
                }
                try #expect(await said(mine) == ["a: number 6", "b: too much"])
                try #expect(await said(theirs) == ["a: charged", "note a: noted", "note b: noted"])
            }
        }
    }

    private func said(_ database: TestDatabase) async throws -> [String] {
        try await database.pool.query("SELECT id || ': ' || said AS line FROM log ORDER BY id").map {
            try $0.decode(String.self, "line")
        }
    }

    @Test("a hook stands around what is applied, and around what follows from answers; nothing is done without it")
    func hook() async throws {
        try await TestDatabase.empty { database in
            let steps = Mutex<[MessageStep.Kind]>([])
            let isClosed = Mutex(true)
            let note = note
            // A circuit breaker: the first time, nothing goes through.
            let app = try app("both", database) { step, next in
                steps.withLock { $0.append(step.kind) }
                if isClosed.withLock({ $0 }) {
                    isClosed.withLock { $0 = false }
                    return
                }
                try await next()
            }
            app.sends(note)
            app.receive(note, dedupKey: \.id) { charge, transaction in
                transaction.add("INSERT INTO log VALUES ($1, 'noted')", [.text(charge.id)])
            }
            try await serving(app.services) {
                try await app.transaction { try $0.send(note, businessKey: "a", Charge(id: "a", amount: 1)) }
                try await eventually {
                    try await database.number("SELECT count(*) FROM settle.task_his") == 1
                }
            }
            #expect(steps.withLock { $0 } == [.apply, .apply, .answer])
            let said = try await said(database)
            #expect(said == ["a: noted"])
        }
    }

    @Test("a type of which nothing was said cannot be sent")
    func unknownType() async throws {
        try await TestDatabase.empty { database in
            let settle = try app("sender", database)
            settle.sends(note)
            try await serving(settle.services) {
                await #expect(throws: UnknownTaskType.self) { try await sendCharge(settle) }
                try #expect(await database.number("SELECT count(*) FROM settle.task") == 0)
            }
        }
    }

    private func sendCharge(_ settle: Settle) async throws {
        let charge = charge
        try await settle.transaction { try $0.send(charge, businessKey: "a", Charge(id: "a", amount: 1)) }
    }

    @Test("without a broker and without Redis there are transactions, and readiness says what there is")
    func alone() async throws {
        try await TestDatabase.empty { database in
            let settle = try Settle(database: database.url, broker: nil, app: "alone", logger: quiet)
            settle.migrations("alone", [Self.table])
            try await serving(settle.services) {
                try await settle.transaction { $0.add("INSERT INTO log VALUES ('a', 'b')") }
                #expect(settle.checks.map(\.name) == ["postgres"])
                #expect(await settle.checks[0].isWell())
            }
            try #expect(await said(database) == ["a: b"])
        }
    }

    @Test("in a schema of its own, beside somebody's task, with tables that another tool makes while it waits")
    func otherTool() async throws {
        try await TestDatabase.empty { database in
            try await database.pool.script("CREATE TABLE task (id text PRIMARY KEY, title text NOT NULL)")
            let schema = try SchemaName("Outbox")
            let own = MigrationSet("own", schema: schema, [Self.table])
            var configuration = Settle.Configuration(
                app: "\(namespace)-careful", database: try PostgresConfiguration(url: database.url))
            configuration.broker = try RabbitMQConfiguration(url: try #require(Testbed.amqpURL))
            configuration.schema = schema
            configuration.migrates = false
            let settle = Settle(configuration, logger: quiet)
            let note = note
            settle.migrations(own)
            settle.sends(note)
            settle.receive(note, dedupKey: \.id) { charge, transaction in
                transaction.add(#"INSERT INTO "Outbox".log VALUES ($1, 'noted')"#, [.text(charge.id)])
            }
            let (failures, failed) = AsyncStream.makeStream(of: String.self)
            settle.libraryMigration.afterFailure { failed.yield("\($0)") }
            try await serving(settle.services) {
                for await failure in failures {
                    #expect(failure.contains("settle_0001_tasks"))
                    break
                }
                try #expect(await database.number("SELECT count(*) FROM pg_namespace WHERE nspname = 'Outbox'") == 0)
                for set in [SettleSchema.tasks(in: schema), SettleSchema.setAside, SettleSchema.inbox, own] {
                    for file in set.files() { try await database.pool.script(file.sql) }
                }
                try await settle.waitUntilMigrated()
                try await settle.transaction { try $0.send(note, businessKey: "a", Charge(id: "a", amount: 1)) }
                try await eventually {
                    try await database.number(#"SELECT count(*) FROM "Outbox".task_his"#) == 1
                }
            }
            try #expect(await database.number(#"SELECT count(*) FROM "Outbox".log"#) == 1)
            try #expect(await database.number("SELECT count(*) FROM public.task") == 0)
        }
    }

    // MARK: Global transactions

    /// Participants that do what they are told, and remember it.
    private final class Peers: ParticipantPeers, BranchTransport {
        let ended = Mutex<[Verdict]>([])
        let reply: BranchReply<Data>?

        init(_ reply: BranchReply<Data>?) { self.reply = reply }

        func perform(
            _ action: String, _ request: Data, headers: [String: String], timeout: Duration, at participant: String
        ) async throws -> BranchReply<Data> {
            guard let reply else { throw CocoaError(.fileNoSuchFile) }
            return reply
        }

        func end(_ xids: [XID], verdict: Verdict, at participant: String) async throws -> [XID: BranchOutcome] {
            ended.withLock { $0 += xids.map { _ in verdict } }
            let outcome: BranchOutcome = verdict == .commit ? .committed : .rolledBack
            return Dictionary(xids.map { ($0, outcome) }, uniquingKeysWith: { $1 })
        }
    }

    private func globally(
        _ reply: BranchReply<Data>?, _ body: (Settle, Peers, TestDatabase) async throws -> Void
    ) async throws {
        try await TestDatabase.empty { database in
            let settle = try Settle(database: database.url, broker: nil, app: "shop", logger: quiet)
            let peers = Peers(reply)
            settle.migrations("shop", [Self.table])
            settle.initiate(selfURL: "http://shop.test", participants: peers)
            try await serving(settle.services) { try await body(settle, peers, database) }
        }
    }

    @Test("the local transaction decides, and what it returned is returned")
    func commits() async throws {
        try await globally(.done(Data(#"{"number":7}"#.utf8))) { settle, peers, database in
            let receipt: Receipt = try await settle.globally { global in
                let receipt: Receipt = try await global.call("wallet", "charge", mode: .tcc, Charge(id: "a", amount: 1))
                return try await global.commit { transaction in
                    transaction.add("INSERT INTO log VALUES ('a', 'bought')")
                    return receipt
                }
            }
            #expect(receipt == Receipt(number: 7))
            try await eventually { peers.ended.withLock { $0 == [.commit] } }
            try #expect(await said(database) == ["a: bought"])
        }
    }

    @Test(
        "what is thrown rolls back what was done, before and inside of the local transaction", arguments: [true, false])
    func rollsBack(inside: Bool) async throws {
        try await globally(.done(Data("{}".utf8))) { settle, peers, database in
            await #expect(throws: TaskRefusal.self) {
                try await settle.globally { global in
                    try await global.call("wallet", "charge", mode: .tcc, Charge(id: "a", amount: 1), as: Done.self)
                    guard inside else { throw TaskRefusal("no") }
                    return try await global.commit { transaction in
                        transaction.add("INSERT INTO log VALUES ('a', 'bought')")
                        throw TaskRefusal("no")
                    }
                }
            }
            #expect(peers.ended.withLock { $0 } == [.rollback])
            try #expect(await said(database) == [])
        }
    }

    @Test("who refused is told nothing; who may have been reached is told the end")
    func enlisted() async throws {
        for (reply, expected) in [
            (BranchReply<Data>.refused(BranchRefusal(code: "no-money", detail: "")), [Verdict]()), (nil, [.rollback]),
        ] {
            try await globally(reply) { settle, peers, _ in
                await #expect(throws: (any Error).self) {
                    try await settle.globally { global in
                        try await global.call("wallet", "charge", mode: .tcc, Charge(id: "a", amount: 1), as: Done.self)
                        return try await global.commit { _ in true }
                    }
                }
                #expect(peers.ended.withLock { $0 } == expected)
            }
        }
    }
}
