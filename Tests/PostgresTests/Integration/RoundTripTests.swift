import SettlePostgres
import Synchronization
import Testing

/// Counts, on the wire, how often the client starts to send after the server has spoken.
private final class RoundTrips: Sendable {
    private struct State {
        var last: TCPProxy.Direction?
        var count = 0
    }

    private let state = Mutex(State())

    func see(_ chunk: TCPProxy.Chunk) {
        state.withLock { state in
            if chunk.direction == .toServer, state.last != .toServer { state.count += 1 }
            state.last = chunk.direction
        }
    }

    func count<R>(during body: () async throws -> R) async rethrows -> Int {
        state.withLock { $0 = State() }
        _ = try await body()
        return state.withLock { $0.count }
    }
}

@Suite("Round trips, counted on the wire", .enabled(if: TestServer.isAvailable))
struct RoundTripTests {
    @Test("a query is one, a transaction that only adds is one, and each query in a transaction is one more")
    func roundTrips() async throws {
        let trips = RoundTrips()
        try await withProxiedDatabase(judge: {
            trips.see($0)
            return .forward
        }) { database, _, _ in
            try await database.script("CREATE TABLE t (id int)")
            // The first time each text is also prepared, which must not cost a round trip of its own.
            for _ in 1...2 {
                let query = try await trips.count { try await database.query("SELECT $1::int", [1]) }
                #expect(query == 1)
                let implicit = try await trips.count {
                    try await database.transaction { transaction in
                        for id in 1...20 { transaction.add("INSERT INTO t VALUES ($1)", [.int(id)]) }
                        transaction.add("UPDATE t SET id = id + 1")
                    }
                }
                #expect(implicit == 1)
                let explicit = try await trips.count {
                    try await database.transaction { transaction in
                        transaction.add("SET LOCAL lock_timeout = '1s'")
                        transaction.add("INSERT INTO t VALUES ($1)", [1])
                    }
                }
                #expect(explicit == 1)
                let mixed = try await trips.count {
                    try await database.transaction { transaction in
                        transaction.add("INSERT INTO t VALUES ($1)", [1])
                        _ = try transaction.query("SELECT 1")
                        transaction.add("INSERT INTO t VALUES ($1)", [2])
                    }
                }
                #expect(mixed == 2)
                let refused = try await trips.count {
                    _ = try await failure { try await database.transaction { $0.add("INSERT INTO t SELECT 1/0") } }
                }
                #expect(refused == 1)
            }
        }
    }
}
