import Settle
import SettlePostgres
import SettleTesting
import Testing

@Suite("verifyBranch", .serialized, .enabled(if: TestBase.serverURL != nil), .timeLimit(.minutes(1)))
struct VerifyBranchTests {
    enum Fault: CaseIterable, Sendable {
        case reservesNothing, cancelsNothing, cancelsOne, cancelsAll, cancelFails, confirmsOnce, confirmTakesMore
        case doesTheImpossible, failsInsteadOfRefusing
    }

    struct Withdrawal: Codable, Sendable {
        let wallet: String
        let amount: Int64
    }

    struct Done: Codable, Sendable {}
    struct Broke: Error {}

    /// Takes money in two steps; or breaks a rule.
    struct Withdraw: TCCAction, SagaAction {
        var fault: Fault?

        func `try`(_ request: Withdrawal, in transaction: borrowing PostgresTransaction) throws -> Done {
            try take(request, "balance = balance - $2, reserved = reserved + $2", transaction)
        }

        func confirm(_ requests: [Withdrawal], in transaction: borrowing PostgresTransaction) throws {
            let amount = fault == .confirmTakesMore ? "sum(amount) + 0 * count(*) + 1" : "sum(amount)"
            change(
                fault == .confirmsOnce ? Array(requests.prefix(1)) : requests, "reserved = reserved - r.amount", amount,
                transaction)
        }

        func cancel(_ requests: [Withdrawal], in transaction: borrowing PostgresTransaction) throws {
            try undo(requests, "balance = balance + r.amount, reserved = reserved - r.amount", transaction)
        }

        func perform(_ request: Withdrawal, in transaction: borrowing PostgresTransaction) throws -> Done {
            try take(request, "balance = balance - $2", transaction)
        }

        func compensate(_ requests: [Withdrawal], in transaction: borrowing PostgresTransaction) throws {
            try undo(requests, "balance = balance + r.amount", transaction)
        }

        private func take(
            _ request: Withdrawal, _ changes: String, _ transaction: borrowing PostgresTransaction
        ) throws -> Done {
            if fault == .reservesNothing { return Done() }
            let isEnough =
                try transaction.query(
                    "UPDATE wallet SET \(changes) WHERE name = $1 AND balance >= $2::bigint RETURNING balance",
                    [.text(request.wallet), .int64(request.amount)]
                ).count == 1
            if isEnough || fault == .doesTheImpossible { return Done() }
            throw fault == .failsInsteadOfRefusing ? Broke() : BranchRefusal(code: "broke", detail: "no money")
        }

        private func undo(
            _ requests: [Withdrawal], _ changes: String, _ transaction: borrowing PostgresTransaction
        ) throws {
            switch fault {
            case .cancelsNothing: break
            case .cancelsOne: change(Array(requests.prefix(1)), changes, "sum(amount)", transaction)
            case .cancelsAll: transaction.add("UPDATE wallet SET balance = 100, reserved = 0")
            case .cancelFails: throw Broke()
            default: change(requests, changes, "sum(amount)", transaction)
            }
        }

        private func change(
            _ requests: [Withdrawal], _ changes: String, _ amount: String, _ transaction: borrowing PostgresTransaction
        ) {
            transaction.add(
                """
                UPDATE wallet SET \(changes)
                FROM (SELECT name, (\(amount))::bigint AS amount FROM unnest($1::text[], $2::bigint[]) AS l (name, amount)
                      GROUP BY name) AS r
                WHERE wallet.name = r.name
                """, [.texts(requests.map(\.wallet)), .int64s(requests.map(\.amount))])
        }
    }

    private static let tables = Migration(
        name: "wallet_0001",
        sql: """
            CREATE TABLE wallet (name text PRIMARY KEY, balance bigint NOT NULL, reserved bigint NOT NULL DEFAULT 0);
            INSERT INTO wallet VALUES ('ann', 100);
            """)

    private func verify(_ handler: BranchHandler) async throws {
        try await TestBase.with([MigrationSet("wallet", [Self.tables])]) { database in
            try await verifyBranch(
                handler, Withdrawal(wallet: "ann", amount: 5), refused: Withdrawal(wallet: "ann", amount: 1000),
                in: database)
            let rows = try await database.query("SELECT balance, reserved FROM wallet")
            #expect(try rows.map { try [$0.decode(Int.self, at: 0), $0.decode(Int.self, at: 1)] } == [[100, 0]])
        }
    }

    @Test("a reservation and an action that undo what they did keep every rule, and the database stays as it was")
    func right() async throws {
        try await verify(.tcc("withdraw", Withdraw()))
        try await verify(.saga("withdraw", Withdraw()))
        try await TestBase.with([MigrationSet("wallet", [Self.tables])]) { database in
            try await verifyBranch(
                .tcc("withdraw", Withdraw()), Withdrawal(wallet: "ann", amount: 5), in: database,
                comparing: .rows(of: "SELECT balance, reserved FROM wallet"))
        }
    }

    @Test(
        "one that does not is told which rule it breaks",
        arguments: [
            (.reservesNothing, .performed), (.cancelsNothing, .undone), (.cancelsOne, .together), (.cancelsAll, .apart),
            (.cancelFails, .ends), (.confirmsOnce, .together), (.confirmTakesMore, .together),
            (.doesTheImpossible, .branchRefusal), (.failsInsteadOfRefusing, .branchRefusal),
        ] as [(Fault, BrokenRule.Rule)])
    func broken(fault: Fault, rule: BrokenRule.Rule) async throws {
        var handlers = [BranchHandler.tcc("withdraw", Withdraw(fault: fault))]
        if fault != .confirmsOnce, fault != .confirmTakesMore {
            handlers.append(.saga("withdraw", Withdraw(fault: fault)))
        }
        for handler in handlers {
            let broken = await #expect(throws: BrokenRule.self) { try await verify(handler) }
            #expect(broken?.rule == rule, "\(broken?.description ?? "")")
        }
    }
}
