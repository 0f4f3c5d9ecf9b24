import Foundation
import SettleRedis
import SettleTestSupport
import Testing

@Suite("Redis client", .enabled(if: TestRedis.url != nil), .timeLimit(.minutes(1)))
struct RedisClientTests {
    let url = TestRedis.url ?? ""

    private func withClient(
        adjust: (inout RedisConfiguration) -> Void = { _ in }, _ body: (RedisClient) async throws -> Void
    ) async throws {
        try await TestRedis.withClient(url, adjust: adjust) { client in
            try await eventually { client.isUp }
            try await body(client)
        }
    }

    @Test("replies come in order and in their kinds")
    func kinds() async throws {
        try await withClient { client in
            let key = "test:\(UUID())"
            let replies = try await client.send([
                .ping, .get(key), .set(key, "in hand", onlyIfAbsent: true, expiresAfter: .seconds(60)),
                .set(key, "again", onlyIfAbsent: true, expiresAfter: .seconds(60)), .get(key),
                RedisCommand(["INCR", key]), RedisCommand(["MGET", key, key + "x"]), .delete(key),
            ])
            #expect(replies[0] == .status("PONG"))
            #expect(replies[1] == .null)
            #expect(replies[2] == .status("OK"))
            #expect(replies[3] == .null)
            #expect(replies[4].text == "in hand")
            guard case .error = replies[5] else {
                Issue.record("INCR of a text: \(replies[5])")
                return
            }
            #expect(replies[6] == .array([.bytes(Array("in hand".utf8)), .null]))
            #expect(replies[7] == .integer(1))
        }
    }

    @Test("values are binary safe and may be empty")
    func binarySafe() async throws {
        try await withClient { client in
            let key = "test:\(UUID())"
            let value = "a\0b\r\n$3\r\né"
            let replies = try await client.send([
                .set(key, value, onlyIfAbsent: false, expiresAfter: .seconds(60)), .get(key),
                .set(key, "", onlyIfAbsent: false, expiresAfter: .seconds(60)), .get(key), .delete(key),
            ])
            #expect(replies[1] == .bytes(Array(value.utf8)))
            #expect(replies[3] == .bytes([]))
        }
    }

    @Test("a command without arguments is refused before it reaches the library")
    func emptyCommand() async throws {
        try await withClient { client in
            await #expect(throws: RedisError.emptyCommand) { try await client.send([.ping, RedisCommand([])]) }
            let none = try await client.send([])
            #expect(none == [])
        }
    }

    @Test("many callers at once each get their own replies")
    func concurrent() async throws {
        try await withClient { client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for caller in 0..<500 {
                    group.addTask {
                        let echo = (0..<5).map { RedisCommand(["ECHO", "\(caller).\($0)"]) }
                        let replies = try await client.send(echo)
                        #expect(replies.map(\.text) == (0..<5).map { "\(caller).\($0)" })
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("a batch longer than one round")
    func longBatch() async throws {
        try await withClient { client in
            let replies = try await client.send((0..<10_000).map { RedisCommand(["ECHO", "\($0)"]) })
            #expect(replies.map(\.text) == (0..<10_000).map { "\($0)" })
        }
    }

    @Test("a connection that breaks under a command fails that batch and is replaced")
    func reconnect() async throws {
        try await withClient { client in
            for _ in 0..<5 {
                let before = try await Self.connection(of: client)
                // Its reply may or may not come before the connection is gone.
                _ = try? await client.send([Self.kill(before)])
                try await eventually {
                    // Refused or lost while it reconnects: asked again until it answers.
                    guard let now = try? await Self.connection(of: client) else { return false }
                    return now != before
                }
            }
        }
    }

    @Test("an idle client finds out by itself, and comes back")
    func idle() async throws {
        // A database that no other test selects, so that the other client can tell whose connection it sees.
        var parts = try #require(URLComponents(string: url))
        parts.path = "/9"
        let own = try #require(parts.string)
        try await withClient { watcher in
            try await TestRedis.withClient(own, adjust: { $0.idleCheck = .milliseconds(20) }) { _ in
                var before = 0
                try await eventually {
                    before = try await Self.connection(database: 9, seenBy: watcher) ?? 0
                    return before != 0
                }
                let killed = try await watcher.send([Self.kill(Int64(before))])
                #expect(killed == [.integer(1)])
                try await eventually {
                    let now = try await Self.connection(database: 9, seenBy: watcher)
                    return now != nil && now != before
                }
            }
        }
    }

    private static func connection(database: Int, seenBy watcher: RedisClient) async throws -> Int? {
        let list = try await watcher.send([RedisCommand(["CLIENT", "LIST"])]).first?.text ?? ""
        let line = list.split(separator: "\n").first { $0.contains(" db=\(database) ") }
        return line?.split(separator: " ").first.flatMap { Int($0.dropFirst("id=".count)) }
    }

    private static func connection(of client: RedisClient) async throws -> Int64? {
        guard case .integer(let id)? = try await client.send([RedisCommand(["CLIENT", "ID"])]).first else { return nil }
        return id
    }

    private static func kill(_ id: Int64?) -> RedisCommand {
        RedisCommand(["CLIENT", "KILL", "ID", "\(id ?? 0)", "SKIPME", "no"])
    }

    @Test("a silent server is a time-out, not a wait for ever")
    func timeout() async throws {
        try await withClient(adjust: { $0.commandTimeout = .milliseconds(100) }) { client in
            let start = ContinuousClock.now
            await #expect(throws: RedisError.timeout) {
                try await client.send([RedisCommand(["BLPOP", "test:\(UUID())", "3"])])
            }
            #expect(start.duration(to: .now) < .seconds(2))
            try await eventually { client.isUp }
        }
    }

    @Test("AUTH and SELECT come from the URL")
    func greeting() async throws {
        var parts = try #require(URLComponents(string: url))
        let user = "u\(UInt32.random(in: 0 ... .max))"
        try await withClient { client in
            let made = try await client.send([RedisCommand(["ACL", "SETUSER", user, "on", ">p@ss", "~*", "+@all"])])
            #expect(made == [.status("OK")])
        }
        parts.user = user
        parts.password = "p@ss"
        parts.path = "/2"
        try await TestRedis.withClient(try #require(parts.string)) { client in
            try await eventually { client.isUp }
            #expect(try await client.send([RedisCommand(["ACL", "WHOAMI"])]).first?.text == user)
            let info = try await client.send([
                RedisCommand(["CLIENT", "LIST", "ID", "0"]), RedisCommand(["CLIENT", "INFO"]),
            ])
            #expect(info.last?.text?.contains(" db=2 ") == true)
        }
        parts.password = "wrong"
        try await TestRedis.withClient(try #require(parts.string)) { client in
            await #expect(throws: RedisError.unavailable) { try await client.send([.ping]) }
            #expect(!client.isUp)
        }
        try await withClient { client in _ = try await client.send([RedisCommand(["ACL", "DELUSER", user])]) }
    }

    @Test("nobody there: calls fail at once and a stop is not held up")
    func away() async throws {
        // Port 1 on loopback: refused at once.
        try await TestRedis.withClient("redis://127.0.0.1:1") { client in
            let start = ContinuousClock.now
            await #expect(throws: RedisError.unavailable) { try await client.send([.ping]) }
            #expect(start.duration(to: .now) < .seconds(1))
            #expect(!client.isUp)
        }
    }

    @Test("after a stop, closed")
    func closed() async throws {
        var stopped: RedisClient?
        try await withClient { stopped = $0 }
        let client = try #require(stopped)
        await #expect(throws: RedisError.closed) { try await client.send([.ping]) }
        await #expect(throws: RedisError.alreadyRunning) { try await client.run() }
        #expect(!client.isUp)
    }
}
