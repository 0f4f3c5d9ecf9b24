import Settle
import SettlePostgres
import Synchronization

/// Credits accounts, once for each key; or breaks one of the rules.
struct CreditApplier: TaskApplier {
    struct Credit: Codable, Sendable {
        let key: String
        let account: String
        var amount: Int64 = 5
    }

    enum Fault: CaseIterable, Sendable {
        case sameKeys, refusesInCheck, doesNothing, rejectsAll
        case addsAgain, saysAppliedAgain, wrongAnswerAgain, failsAgain
        case reversesBatches, dropsOutcomes
        case forgetsRefusals, otherReason, refusesWithEffect
        case ignoresContent, takesConflicts
        case memoryFirst, effectFirst, swallowsErrors, remembersInMemory
        case looksFirst, failsOnConflict
        case decidesUnknown, decidesWrongly
    }

    static let tables = Migration(
        name: "credit_0001",
        sql: """
            CREATE TABLE account (name text PRIMARY KEY, balance bigint NOT NULL);
            INSERT INTO account VALUES ('ann', 0);
            CREATE TABLE credit (key text PRIMARY KEY, account text NOT NULL, amount bigint NOT NULL, rejected text);
            CREATE TABLE loose_credit (key text NOT NULL);
            CREATE TABLE refusals (number bigint NOT NULL);
            INSERT INTO refusals VALUES (0);
            """)

    let database: PostgresDatabase
    var fault: Fault?
    private let memory = Memory()

    private final class Memory: Sendable {
        let keys = Mutex<Set<String>>([])
    }

    init(_ database: PostgresDatabase, _ fault: Fault? = nil) {
        self.database = database
        self.fault = fault
    }

    func dedupKey(of body: Credit) -> String { fault == .sameKeys ? "key" : body.key }

    func check(_ body: Credit) throws {
        if fault == .refusesInCheck { throw UnreadableMessage(description: "never") }
    }

    func decided(_ tasks: [ReceivedTask<Credit>]) async throws -> [TaskOutcome?] {
        switch fault {
        case .decidesUnknown: return tasks.map { _ in .duplicate(.finished) }
        case .decidesWrongly:
            let rows = try await database.query(
                "SELECT key FROM credit WHERE key = ANY($1::text[])", [.texts(tasks.map(\.body.key))])
            return tasks.map { _ in rows.isEmpty ? nil : .duplicate(.rejected(reason: "no")) }
        default: return tasks.map { _ in nil }
        }
    }

    func apply(_ tasks: [ReceivedTask<Credit>]) async throws -> [TaskOutcome] {
        var outcomes: [TaskOutcome] = []
        for task in tasks { outcomes.append(try await apply(task.body)) }
        switch fault {
        case .reversesBatches: return outcomes.reversed()
        case .dropsOutcomes: return Array(outcomes.prefix(1))
        default: return outcomes
        }
    }

    private func apply(_ body: Credit) async throws -> TaskOutcome {
        switch fault {
        case .doesNothing: return .applied
        case .rejectsAll: return .rejected(reason: "no")
        case .memoryFirst, .effectFirst: return try await inTwo(body)
        case .looksFirst: return try await lookFirst(body)
        case .remembersInMemory: return try await fromMemory(body)
        case .swallowsErrors:
            do { return try await inOne(body) } catch { return .applied }
        default: return try await inOne(body)
        }
    }

    private static let add = "UPDATE account SET balance = balance + $2 WHERE name = $1"

    /// As it should be.
    private func inOne(_ body: Credit) async throws -> TaskOutcome {
        try await database.transaction { [fault] transaction in
            let isKnown = try !transaction.query("SELECT FROM account WHERE name = $1", [.text(body.account)]).isEmpty
            let reason = isKnown ? nil : fault == .otherReason ? "\(Int.random(in: 0...Int.max))" : "no such account"
            if reason != nil, fault == .forgetsRefusals || fault == .otherReason {
                if fault == .forgetsRefusals { transaction.add("UPDATE refusals SET number = number + 1") }
                return .rejected(reason: reason ?? "")
            }
            let parameters: [PostgresValue] = [
                .text(body.key), .text(body.account), .int64(body.amount), PostgresValue(reason),
            ]
            let insert = "INSERT INTO credit (key, account, amount, rejected) VALUES ($1, $2, $3, $4)"
            if fault == .failsOnConflict,
                try !transaction.query("SELECT FROM credit WHERE key = $1", [.text(body.key)]).isEmpty
            {
                return .duplicate(.finished)
            }
            let fails = fault == .failsAgain || fault == .failsOnConflict
            let isNew =
                try transaction.query(
                    insert + (fails ? "" : " ON CONFLICT DO NOTHING"), parameters
                ).affected == 1
            if isNew || fault == .addsAgain {
                transaction.add(Self.add, [.text(body.account), .int64(body.amount)])
                return reason.map { .rejected(reason: $0) } ?? .applied
            }
            if fault == .saysAppliedAgain { return .applied }
            if fault == .wrongAnswerAgain { return .duplicate(.rejected(reason: "before")) }
            if fault == .refusesWithEffect, !isKnown { transaction.add("UPDATE refusals SET number = number + 1") }
            let before = try transaction.query(
                "SELECT account = $2 AND amount = $3::bigint, rejected FROM credit WHERE key = $1",
                [.text(body.key), .text(body.account), .int64(body.amount)])
            guard let row = before.first, try row.decode(Bool.self, at: 0) || fault == .ignoresContent else {
                if fault == .takesConflicts { transaction.add(Self.add, [.text(body.account), .int64(body.amount)]) }
                return .conflict(reason: "another credit")
            }
            return .duplicate(try row.decode(String?.self, at: 1).map { .rejected(reason: $0) } ?? .finished)
        }
    }

    private func inTwo(_ body: Credit) async throws -> TaskOutcome {
        let isFirst = try await database.query("SELECT FROM credit WHERE key = $1", [.text(body.key)]).isEmpty
        guard isFirst else { return .duplicate(.finished) }
        let memory = (
            "INSERT INTO credit (key, account, amount) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            [PostgresValue.text(body.key), .text(body.account), .int64(body.amount)]
        )
        let effect = (Self.add, [PostgresValue.text(body.account), .int64(body.amount)])
        for (sql, parameters) in fault == .memoryFirst ? [memory, effect] : [effect, memory] {
            _ = try await database.query(sql, parameters)
        }
        return .applied
    }

    private func lookFirst(_ body: Credit) async throws -> TaskOutcome {
        let isNew = try await database.query("SELECT FROM loose_credit WHERE key = $1", [.text(body.key)]).isEmpty
        guard isNew else { return .duplicate(.finished) }
        return try await database.transaction { transaction in
            transaction.add("INSERT INTO loose_credit (key) VALUES ($1)", [.text(body.key)])
            transaction.add(Self.add, [.text(body.account), .int64(body.amount)])
            return .applied
        }
    }

    private func fromMemory(_ body: Credit) async throws -> TaskOutcome {
        guard !memory.keys.withLock({ $0.contains(body.key) }) else { return .duplicate(.finished) }
        _ = try await database.query(Self.add, [.text(body.account), .int64(body.amount)])
        memory.keys.withLock { _ = $0.insert(body.key) }
        return .applied
    }
}
