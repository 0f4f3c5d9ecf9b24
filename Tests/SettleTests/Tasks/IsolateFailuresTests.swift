import Logging
import Testing

@testable import Postgres
@testable import Settle

@Suite("Isolating failures")
struct IsolateFailuresTests {
    private static func serverError(_ state: String) -> PostgresError {
        var error = PostgresError(.server, "a server's words")
        error.sqlState = state
        return error
    }

    /// Runs it over 0 to 9; `fails` says what is thrown for which item.
    private func run(
        fails: (Int) -> (any Error)?
    ) async throws -> (batches: [[Int]], done: [Int], poison: [Int: String]) {
        var (batches, done, poison) = ([[Int]](), [Int](), [Int: String]())
        try await isolatingFailures(of: Array(0..<10), logger: Testbed.quiet) { items in
            batches.append(items)
            if let error = items.compactMap(fails).first { throw error }
            done += items
        } onPoison: {
            poison[$0] = $1
        }
        return (batches, done, poison)
    }

    @Test("a batch without a failure is done at once")
    func healthy() async throws {
        let (batches, done, poison) = try await run { _ in nil }
        #expect(batches == [Array(0..<10)])
        #expect(done == Array(0..<10))
        #expect(poison.isEmpty)
    }

    @Test("one poisoned item is left out, the others are done", arguments: ["22P05", "23514", "22003"])
    func poisoned(state: String) async throws {
        let (batches, done, poison) = try await run { $0 == 4 ? Self.serverError(state) : nil }
        #expect(batches.count == 11)
        #expect(done == [0, 1, 2, 3, 5, 6, 7, 8, 9])
        #expect(poison == [4: "refused by the database: \(state)"])
    }

    @Test("a value that cannot be sent is poison too")
    func invalidParameter() async throws {
        let (_, done, poison) = try await run { $0.isMultiple(of: 3) ? PostgresError(.invalidParameter, "NUL") : nil }
        #expect(done == [1, 2, 4, 5, 7, 8])
        #expect(poison.keys.sorted() == [0, 3, 6, 9])
    }

    @Test(
        "any other failure is thrown, for the whole batch to be tried again",
        arguments: ["57P01", "40P01", "42P01", "55P03", "57014"])
    func serverAway(state: String) async {
        await #expect(throws: PostgresError.self) { _ = try await run { $0 == 4 ? Self.serverError(state) : nil } }
    }

    @Test(
        "a lost connection blames nobody",
        arguments: [PostgresError.Kind.unavailable, .overloaded, .connectionLost, .commitUnknown, .closed, .decoding])
    func connectionLost(kind: PostgresError.Kind) async {
        await #expect(throws: PostgresError.self) { _ = try await run { $0 == 4 ? PostgresError(kind) : nil } }
    }

    @Test("a database that goes away while the items are tried one by one ends it")
    func awayLater() async {
        var tried = 0
        await #expect(throws: PostgresError.self) {
            _ = try await run { _ in
                tried += 1
                return tried < 3 ? Self.serverError("22003") : PostgresError(.connectionLost)
            }
        }
    }

    @Test("no items, no work")
    func nothing() async throws {
        try await isolatingFailures(of: [Int](), logger: Testbed.quiet) { _ in
            Issue.record("performed")
        } onPoison: { _, _ in
            Issue.record("poisoned")
        }
    }
}
