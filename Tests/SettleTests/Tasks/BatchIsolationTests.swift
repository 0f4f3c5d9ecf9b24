import SettleCore
import Logging
import SettleTestSupport
import Testing

@testable import SettlePostgres
@testable import Settle

@Suite("Batch isolation")
struct BatchIsolationTests {
    private static func serverError(_ state: String) -> PostgresError {
        var error = PostgresError(.server, "a server's words")
        error.sqlState = state
        return error
    }

    private struct OwnError: Error {}

    private struct Run {
        var batches: [[Int]] = []
        var done: [Int] = []
        var left: [Int: Leftover.Fate] = [:]
        var reasons: [Int: String] = [:]
    }

    /// Runs it over 0 to 9, each of which needs the row of its number modulo 5.
    ///
    /// - Parameters:
    ///   - held: what a look finds.
    ///   - fails: what is thrown for which item.
    private func run(
        memory: HeldRows = HeldRows(), isRetry: Bool = false, patience: Duration = .seconds(10), names: Bool = true,
        held: Set<String> = [], fails: (Int) throws -> (any Error)?
    ) async throws -> Run {
        var run = Run()
        let isolation = BatchIsolation<Int>(
            rows: { names ? [ByteKey(String($0 % 5))] : [] }, held: { held.byteKeys.intersection($0) }, memory: memory,
            isRetry: isRetry,
            patience: patience, logger: quiet)
        for failure in try await isolation.run(
            Array(0..<10),
            perform: { items in
                run.batches.append(items)
                if let error = try items.compactMap(fails).first { throw error }
                run.done += items
            })
        {
            run.left[failure.item] = failure.fate
            run.reasons[failure.item] = failure.reason
        }
        return run
    }

    @Test("a batch without a failure is done at once")
    func healthy() async throws {
        let run = try await run { _ in nil }
        #expect(run.batches == [Array(0..<10)])
        #expect(run.left.isEmpty)
    }

    @Test("one poisoned item is dead, the others are done", arguments: ["22P05", "23514", "22003"])
    func poisoned(state: String) async throws {
        let run = try await run { $0 == 4 ? Self.serverError(state) : nil }
        #expect(run.batches.count == 11)
        #expect(run.done == [0, 1, 2, 3, 5, 6, 7, 8, 9])
        #expect(run.left == [4: .dead])
        #expect(run.reasons == [4: "refused by the database: \(state)"])
    }

    @Test("a value that cannot be sent is poison too")
    func invalidParameter() async throws {
        let run = try await run { $0.isMultiple(of: 3) ? PostgresError(.invalidParameter, "NUL") : nil }
        #expect(run.done == [1, 2, 4, 5, 7, 8])
        #expect(run.left == [0: .dead, 3: .dead, 6: .dead, 9: .dead])
    }

    @Test(
        "a failure that nobody can tell to pass is that one item's",
        arguments: ["P0001", "42P01", "XX000", "decode", ""])
    func unknown(state: String) async throws {
        let error: any Error =
            switch state {
            case "": OwnError()
            case "decode": PostgresError(.decoding)
            default: Self.serverError(state)
            }
        let run = try await run { $0 == 4 ? error : nil }
        #expect(run.done == [0, 1, 2, 3, 5, 6, 7, 8, 9])
        #expect(run.left == [4: .failed])
        #expect(run.reasons[4]?.contains("a server's words") == false)
    }

    @Test(
        "items of a held row are left out after one try, and not tried while it is known",
        arguments: ["55P03", "ST001"])
    func held(state: String) async throws {
        let memory = HeldRows()
        let first = try await run(memory: memory, held: ["4"]) { $0 % 5 == 4 ? Self.serverError(state) : nil }
        #expect(first.batches == [Array(0..<10), [0, 1, 2, 3, 5, 6, 7, 8]])
        #expect(first.left == [4: .held, 9: .held])
        let second = try await run(memory: memory) { $0 % 5 == 4 ? Self.serverError(state) : nil }
        #expect(second.batches == [[0, 1, 2, 3, 5, 6, 7, 8]])
        #expect(second.left == [4: .held, 9: .held])
    }

    @Test("what was set aside is tried though its row was held a moment ago, but not before a look")
    func retry() async throws {
        let memory = HeldRows()
        memory.note(["1", "4"].map(ByteKey.init))
        let run = try await run(memory: memory, isRetry: true, held: ["4"]) { _ in nil }
        #expect(run.batches == [[0, 1, 2, 3, 5, 6, 7, 8]])
        #expect(run.left == [4: .held, 9: .held])
    }

    @Test("a held row that no look finds costs one wait for the batch and one for itself")
    func heldUnseen() async throws {
        let run = try await run { $0 % 5 == 4 ? Self.serverError("55P03") : nil }
        #expect(run.batches.count == 1 + 9, "9 needs the row that 4 has waited for")
        #expect(run.left == [4: .held, 9: .held])
        let nameless = try await self.run(names: false) { $0 % 5 == 4 ? Self.serverError("55P03") : nil }
        #expect(nameless.batches.count == 1 + 10)
        #expect(nameless.left == [4: .held, 9: .held])
    }

    @Test("one by one goes on for a limited time; the rest is left untried")
    func patience() async throws {
        let run = try await run(patience: .zero) { $0 == 0 ? Self.serverError("P0001") : nil }
        #expect(run.batches.count == 2)
        #expect(run.left[0] == .failed)
        #expect((1..<10).allSatisfy { run.left[$0] == .untried })
    }

    @Test(
        "a server that is away blames nobody: the whole batch is tried again",
        arguments: [PostgresError.Kind.unavailable, .overloaded, .connectionLost, .commitUnknown, .closed])
    func away(kind: PostgresError.Kind) async {
        await #expect(throws: PostgresError.self) { _ = try await run { $0 == 4 ? PostgresError(kind) : nil } }
    }

    @Test("so do an ending server, a cancelled task and an injected fault")
    func others() async throws {
        for error in [Self.serverError("57P01"), CancellationError(), Failpoints.Injected(point: "here")] as [any Error]
        {
            await #expect(throws: (any Error).self) { _ = try await run { $0 == 4 ? error : nil } }
        }
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

    @Test("a held row is remembered for a while")
    func memory() {
        let memory = HeldRows()
        let now = ContinuousClock.now
        memory.note(["a"].map(ByteKey.init), at: now)
        #expect(memory.contains(anyOf: ["b", "a"].map(ByteKey.init), at: now + .milliseconds(1_900)))
        #expect(!memory.contains(anyOf: ["b"].map(ByteKey.init), at: now))
        #expect(!memory.contains(anyOf: ["a"].map(ByteKey.init), at: now + .seconds(2)))
    }
}
