import Foundation
import SettleRedis
import SettleTestSupport
import Testing

/// A Redis that answers and yet cannot be used: on a server of each test's own.
@Suite("Redis that cannot be used", .enabled(if: OwnRedis.isPossible), .timeLimit(.minutes(1)))
struct RedisFaultTests {
    /// What makes it so, what mends it, and the code of the errors meanwhile.
    struct Fault: Sendable, CustomTestStringConvertible {
        var code: String
        var spoil: [[String]]
        var mend: [[String]]

        var testDescription: String { code }
    }

    private static let write = RedisCommand.set("key", "value", onlyIfAbsent: false, expiresAfter: .seconds(60))

    @Test(
        "in mid-session it counts as down, with one line in the log, until a write works again",
        arguments: [
            Fault(
                code: "READONLY", spoil: [["REPLICAOF", "127.0.0.1", "1"]], mend: [["REPLICAOF", "NO", "ONE"]]),
            Fault(
                code: "MASTERDOWN",
                spoil: [
                    ["CONFIG", "SET", "replica-read-only", "no", "replica-serve-stale-data", "no"],
                    ["REPLICAOF", "127.0.0.1", "1"],
                ], mend: [["REPLICAOF", "NO", "ONE"]]),
            Fault(
                code: "OOM", spoil: [["CONFIG", "SET", "maxmemory", "1"]],
                mend: [["CONFIG", "SET", "maxmemory", "0"]]),
            Fault(
                code: "NOREPLICAS", spoil: [["CONFIG", "SET", "min-replicas-to-write", "1"]],
                mend: [["CONFIG", "SET", "min-replicas-to-write", "0"]]),
            Fault(
                code: "NOPERM", spoil: [["ACL", "SETUSER", "default", "-set"]],
                mend: [["ACL", "SETUSER", "default", "+set"]]),
        ])
    func midSession(fault: Fault) async throws {
        try await OwnRedis.with { server in
            let log = LogCollector()
            // Its own look at an idle connection comes too late to have found it.
            try await TestRedis.withClient(server.url(), adjust: { $0.idleCheck = .seconds(50) }, log.logger) {
                client in
                try await eventually { client.isUp }
                try await server.control(fault.spoil)
                let replies = try await client.send([Self.write, Self.write])
                for reply in replies {
                    guard case .error(let text) = reply, text.hasPrefix(fault.code + " ") else {
                        Issue.record("\(reply)")
                        continue
                    }
                }
                #expect(!client.isUp, "down before its caller has the answer")
                for _ in 0..<1000 {
                    await #expect(throws: RedisError.unavailable) { try await client.send([Self.write]) }
                }
                #expect(log.lines.count { $0.contains("cannot be used") && $0.contains(fault.code) } == 1)
                try await server.control(fault.mend)
                try await eventually { client.isUp }
                #expect(try await client.send([Self.write]) == [.status("OK")])
                #expect(log.lines.count { $0.contains("connected to Redis") } == 2)
            }
        }
    }

    @Test("an idle client finds out by itself")
    func idle() async throws {
        try await OwnRedis.with { server in
            try await TestRedis.withClient(server.url(), adjust: { $0.idleCheck = .milliseconds(20) }) { client in
                try await eventually { client.isUp }
                try await server.control([["REPLICAOF", "127.0.0.1", "1"]])
                try await eventually { !client.isUp }
                try await server.control([["REPLICAOF", "NO", "ONE"]])
                try await eventually { client.isUp }
            }
        }
    }

    @Test("a password that was changed keeps it down until it is right again")
    func rotated() async throws {
        try await OwnRedis.with(password: "old") { server in
            try await TestRedis.withClient(server.url(password: "old")) { client in
                try await eventually { client.isUp }
                try await server.control(
                    [["CONFIG", "SET", "requirepass", "new"], ["CLIENT", "KILL", "TYPE", "normal"]])
                try await eventually { !client.isUp }
                await #expect(throws: RedisError.unavailable) { try await client.send([.ping]) }
                try await server.control([["CONFIG", "SET", "requirepass", "old"]])
                try await eventually { client.isUp }
            }
        }
    }

    @Test("a session whose rights are gone")
    func noAuth() async throws {
        try await OwnRedis.with(password: "word") { server in
            try await TestRedis.withClient(server.url(password: "word")) { client in
                try await eventually { client.isUp }
                // RESET leaves the connection without a user, as a proxy in between may.
                let replies = try await client.send([RedisCommand(["RESET"]), Self.write])
                #expect(replies == [.status("RESET"), .error("NOAUTH Authentication required.")])
                try await eventually("a new connection logs in") { client.isUp }
                #expect(try await client.send([Self.write]) == [.status("OK")])
            }
        }
    }

    @Test("an error of one command is that command's own")
    func wrongType() async throws {
        try await OwnRedis.with { server in
            try await TestRedis.withClient(server.url()) { client in
                try await eventually { client.isUp }
                let replies = try await client.send([
                    Self.write, RedisCommand(["LPUSH", "key", "x"]), RedisCommand(["NOSUCH"]), Self.write,
                ])
                guard case .error(let text) = replies[1], text.hasPrefix("WRONGTYPE"), case .error = replies[2] else {
                    Issue.record("\(replies)")
                    return
                }
                #expect(replies[3] == .status("OK"))
                #expect(client.isUp)
            }
        }
    }

    @Test("replies beyond the bound are not read: the caller hears, and the client goes on")
    func longReply() async throws {
        try await OwnRedis.with { server in
            let adjust = { (configuration: inout RedisConfiguration) in
                // Redis takes its time to make 50 MB where the machine is busy.
                (configuration.maxReplyBytes, configuration.commandTimeout) = (100_000, .seconds(20))
            }
            try await TestRedis.withClient(server.url(), adjust: adjust) { client in
                try await eventually { client.isUp }
                let ten = String(repeating: "x", count: 10_000)
                _ = try await client.send([.set("ten", ten, onlyIfAbsent: false, expiresAfter: .seconds(60))])
                for commands in [
                    [RedisCommand(["SETRANGE", "big", "50000000", "x"]), .get("big")],
                    (0..<20).map { _ in .get("ten") },
                    [RedisCommand(["MGET"] + (0..<20).map { _ in "ten" })],
                ] {
                    await #expect(throws: RedisError.connectionLost("more than 100000 bytes of replies")) {
                        try await client.send(commands)
                    }
                    try await eventually { client.isUp }
                }
                let replies = try await client.send((0..<9).map { _ in .get("ten") })
                #expect(replies.allSatisfy { $0.text == ten })
            }
        }
    }
}
