import Foundation
public import Settle
public import SettlePostgres

/// Holds an action in mode `tcc` or `saga` against what a global transaction relies on, on a database of the test's own.
///
/// ```swift
/// try await verifyBranch(
///     .tcc("withdraw", ReservedWithdrawal()), Withdrawal(wallet: "ann", amount: 5),
///     refused: Withdrawal(wallet: "ann", amount: 1_000_000), in: database)
/// ```
/// All of it happens in one transaction that is rolled back: the database stays as it is. What Settle itself sees to
/// (that each part is done once, that a late request is refused) needs no test here.
///
/// - Parameters:
///   - handler: as it is given to `Participant`.
///   - request: one that can be done twice.
///   - refused: one that the business refuses.
///   - database: with the action's tables, and rows that the requests need; running.
///   - comparing: what shows whether the part was done, and how often.
/// - Throws: ``BrokenRule``, or what the first phase throws.
public func verifyBranch<Request: Encodable>(
    _ handler: BranchHandler, _ request: Request, refused: Request? = nil, in database: PostgresDatabase,
    comparing: Compared = .allTables
) async throws {
    precondition(handler.mode == .tcc || handler.mode == .saga, "the modes at and xa undo by themselves")
    func text(_ request: Request) throws -> String {
        String(decoding: try JSONEncoder().encode(request), as: UTF8.self)
    }
    let trial = BranchTrial(
        handler: handler, request: try text(request), refused: try refused.map(text), compared: comparing)
    do {
        try await database.transaction { transaction in
            try trial.run(transaction)
            throw Over()
        }
    } catch is Over {}
}

/// Ends the transaction of a trial that went well.
private struct Over: Error {}

private struct BranchTrial: Sendable {
    /// What happens to a branch; the ends with how many at once.
    enum Step: Equatable {
        case perform
        case commit(Int)
        case rollback(Int)
    }

    let handler: BranchHandler
    let request: String
    let refused: String?
    let compared: Compared

    func run(_ transaction: borrowing PostgresTransaction) throws {
        let rollback = handler.mode == .tcc ? "cancel" : "compensate"
        let before = try after([], transaction)
        let one = try after([.perform, .commit(1)], transaction)
        let performed = try after([.perform], transaction)
        if performed == before {
            throw BrokenRule(.performed, "the first phase has changed nothing of what is compared")
        }
        try expect(
            .undone, [.perform, .rollback(1)], as: before, "\(rollback) does not leave all as it was", transaction)
        try expect(
            .undone, [.perform, .rollback(1), .perform, .commit(1)], as: one,
            "what was undone and then done again is not as if it was done once", transaction)
        try expect(
            .together, [.perform, .perform, .rollback(2)], as: before,
            "\(rollback) of two transactions at once does not leave all as it was", transaction)
        try expect(
            .apart, [.perform, .perform, .rollback(1), .commit(1)], as: one,
            "\(rollback) of one transaction has changed something of another's", transaction)
        if handler.mode == .tcc {
            try expect(
                .together, [.perform, .perform, .commit(2)],
                as: after([.perform, .perform, .commit(1), .commit(1)], transaction),
                "confirm of two transactions at once is not what it is of each alone", transaction)
            try expect(
                .apart, [.perform, .perform, .commit(1), .rollback(1)], as: one,
                "confirm of one transaction has changed something of another's", transaction)
        }
        if let refused { try checkRefusal(of: refused, transaction) }
    }

    private func expect(
        _ rule: BrokenRule.Rule, _ steps: [Step], as expected: Snapshot, _ what: String,
        _ transaction: borrowing PostgresTransaction
    ) throws {
        let got = try after(steps, transaction)
        guard got == expected else {
            throw BrokenRule(rule, "\(what) (+ is too much, - is missing):\n  \(got.difference(from: expected))")
        }
    }

    /// What there is after `steps`, which are undone then.
    private func after(_ steps: [Step], _ transaction: borrowing PostgresTransaction) throws -> Snapshot {
        transaction.add("SAVEPOINT trial")
        for step in steps {
            switch step {
            case .perform:
                _ = try handler.perform(request, transaction)
            case .commit(let count):
                try end("the commit", count, handler.commit, transaction)
            case .rollback(let count):
                try end("the rollback", count, handler.rollback, transaction)
            }
        }
        let snapshot = try compared.snapshot(transaction)
        transaction.add("ROLLBACK TO SAVEPOINT trial")
        return snapshot
    }

    private func end(
        _ what: String, _ count: Int, _ action: BranchHandler.End?, _ transaction: borrowing PostgresTransaction
    ) throws {
        do {
            try action?(Array(repeating: request, count: count), transaction)
            // Has what was only added done now, so that a failure is this one's.
            _ = try transaction.query("SELECT")
        } catch {
            throw BrokenRule(.ends, "\(what) of \(count) failed: \(error)")
        }
    }

    private func checkRefusal(of request: String, _ transaction: borrowing PostgresTransaction) throws {
        do {
            _ = try handler.perform(request, transaction)
        } catch is BranchRefusal {
            // Its transaction is rolled back by the participant: nothing can stay.
            return
        } catch {
            throw BrokenRule(.branchRefusal, "what cannot be done is not refused, but fails: \(error)")
        }
        throw BrokenRule(.branchRefusal, "what cannot be done is done")
    }
}
