import Foundation
import SettleTestSupport
import Testing

extension Proof {
    @Suite("Attack by HTTP", .timeLimit(.minutes(3)))
    struct HTTPAttackTests {
        private static let methods = [
            "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "PRI", "get", "G\u{0}T", "",
        ]
        private static let paths = [
            "/orders", "/orders/x", "/orders?userName=%FF", "/orders?limit=-1", "/orders?limit=1&limit=2",
            "/products/tea",
            "/users/alice/point-log?limit=٣", "/transactions/commit", "/branches/deduct", "/health/ready", "/tasks",
            "*",
            "//", "/%00", "/..%2f..%2fetc", "http://elsewhere/orders", "", "/" + String(repeating: "a", count: 9_000),
        ]
        private static let headers = [
            "Host: a\r\nHost: b", "Host:", "Content-Length: -1", "Content-Length: 9223372036854775808",
            "Content-Length: 1e3", "Content-Length: 5\r\nContent-Length: 6", "Transfer-Encoding: gzip",
            "Transfer-Encoding: chunked\r\nContent-Length: 3", "Transfer-Encoding: chunked, chunked",
            "Idempotency-Key: \u{FFFD}", "Idempotency-Key:", "Authorization: Bearer", "Authorization: Bearer \u{1F}",
            "Authorization: Basic YTpi", "Content-Type: text/plain", "Content-Type: application/json; charset=utf-7",
            "Origin: http://elsewhere", "Connection: upgrade\r\nUpgrade: h2c", "Expect: 100-continue", "Expect: 200-ok",
            "traceparent: " + String(repeating: "0", count: 4_000), "Settle-XID: x", "Settle-Deadline: -5",
            " folded: yes", "no colon", ": empty", "a b: c", "X: \u{0}", "X: " + String(repeating: "y", count: 70_000),
        ]
        private static let order =
            #"{"userName":"alice","items":[{"sku":"nothing","quantity":2}],"mode":"at","spendPoints":0}"#

        /// Mostly right, with some things wrong: what is wrong all over is refused by the first line.
        private static func request(_ number: Int) -> [UInt8] {
            var attack = Attack(number)
            var text = "\(attack.chance(4) ? attack.pick(methods) : "POST") "
            text += "\(attack.chance(2) ? attack.pick(paths) : "/orders") "
            text += attack.pick(["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/9", ""]) + "\r\n"
            let body = attack.json(like: order)
            if !attack.chance(5) { text += "Host: localhost\r\n" }
            if !attack.chance(5) { text += "Content-Type: application/json\r\n" }
            for _ in 0..<Int.random(in: 0...2, using: &attack) { text += attack.pick(headers) + "\r\n" }
            var bytes: [UInt8]
            if attack.chance(3) {
                let sizes = ["\(String(body.count, radix: 16))", "-1", "7FFFFFFFFFFFFFFFF", "zz", "", "5;x=\"\r\n\""]
                let end = attack.pick(["\r\n", "\r\n", "\n"])
                bytes = Array("\(text)Transfer-Encoding: chunked\r\n\r\n\(attack.pick(sizes))\(end)".utf8)
                bytes += body + Array("\(end)0\(end)\(end)".utf8)
            } else {
                bytes = Array(
                    "\(text)Content-Length: \(attack.chance(6) ? body.count * 2 + 1 : body.count)\r\n\r\n".utf8)
                bytes += body
            }
            if attack.chance(10) {
                bytes[Int.random(in: 0..<bytes.count, using: &attack)] = .random(in: 0...255, using: &attack)
            }
            return attack.chance(10) ? Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &attack))) : bytes
        }

        @Test("4,000 generated requests: each is refused as the client's fault or closed, none is an error of ours")
        func requests() async throws {
            try await Suite.with { suite in
                let pids = suite.running.map(\.pid)
                let ports = Role.allCases.map { suite.port($0) }
                let begin = ContinuousClock.now
                let count = 4_000
                let statuses = await Hostile.each(count) { number in
                    Hostile.send(Self.request(number), port: ports[number % 3], patience: .milliseconds(100))
                }
                let answered = statuses.compactMap(\.self)
                let wrong = answered.filter { $0 >= 500 && $0 != 503 && $0 != 501 && $0 != 505 }
                #expect(wrong.isEmpty, "\(Set(wrong))")
                #expect(answered.count > count / 3, "most are answered")
                #expect(Set(answered).count > 5, "for many reasons: \(Set(answered))")
                for role in Role.allCases {
                    let log = try String(contentsOf: suite.process(role).log, encoding: .utf8)
                    let errors = log.split(separator: "\n").filter { $0.contains(" error ") }
                    #expect(errors.isEmpty, "\(errors.prefix(3))")
                }
                try await suite.expectUnharmed(pids)
                Attack.report(count, "requests by HTTP in \(ContinuousClock.now - begin)")
            }
        }

        @Test("heads of 4 MB, bodies that never come, bodies that are held: no descriptor and no memory is lost")
        func exhaustion() async throws {
            try await Suite.with { suite in
                let order = try suite.process(.order)
                let pids = suite.running.map(\.pid)
                let before = try order.descriptors
                let head = Array("GET / HTTP/1.1\r\nX: ".utf8) + [UInt8](repeating: 0x61, count: 4 << 20)
                _ = await Hostile.each(140) { _ in Hostile.send(head, port: order.port) }
                let slow = await SlowBodies.open(1_100, of: 1_000, sending: 1, port: order.port)
                let answer = try await suite.get(order.port, "/orders?limit=1")
                #expect(answer?.status == 200, "slow bodies take nobody's place")
                slow.close()
                let held = await SlowBodies.open(300, of: 1 << 20, sending: (1 << 20) - 1, port: order.port)
                let megabytes = try order.residentBytes >> 20
                held.close()
                print("attack: order holds \(megabytes) MB with 300 bodies of 1 MiB under way")
                #expect(megabytes < 160, "its container has 192")
                try await eventually("the descriptors are free again", within: .seconds(20)) {
                    try order.descriptors <= before + 16
                }
                try await suite.expectUnharmed(pids)
                Attack.report(140 + 1_100 + 300, "heads and bodies without an end")
            }
        }

        @Test("600 branch requests with hostile headers and bodies, by one who has the token: none traps, none stays")
        func branches() async throws {
            try await Suite.withTransactions { suite in
                let pids = suite.running.map(\.pid)
                let initiators = [
                    "http://127.0.0.1:99999", "http+unix://%2Ftmp%2Fx/", "http://[::1", "http://a b", "ftp://x", "",
                    "\t",
                    "http://127.0.0.1:0", "http://user:password@127.0.0.1",
                    "http://" + String(repeating: "a", count: 5_000),
                    "http://127.0.0.1:1", suite.url(.order),
                ]
                let xids = [
                    "", "x", String(repeating: "x", count: 300), "'; --", "\u{1}",
                    "01a1ff63-fd81-7ff8-8e4c-0d16eb7ba70c",
                ]
                let body =
                    #"{"orderId":"01a1ff63-fd81-7ff8-8e4c-0d16eb7ba70c","items":[{"sku":"nothing","quantity":2}]}"#
                let (token, port) = (suite.token, suite.port(.stock))
                let statuses = await Hostile.each(600) { number in
                    var attack = Attack(number)
                    let json = attack.chance(2) ? attack.json(like: body) : Array(body.utf8)
                    let head = """
                        POST \(attack.pick(["/branches/deduct", "/branches/\u{0}", "/transactions/commit", "/transactions/outcomes"])) \
                        HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(token)\r\nContent-Type: application/json\r\n\
                        Settle-XID: \(attack.pick(xids))\r\nSettle-Mode: \(attack.pick(["at", "tcc", "xa", "saga", "no", ""]))\r\n\
                        Settle-Initiator: \(attack.pick(initiators))\r\nSettle-Deadline: \(attack.pick(["1", "-1", "x", "99999999999999999999"]))\r\n\
                        Content-Length: \(json.count)\r\n\r\n
                        """
                    return Hostile.send(Array(head.utf8) + json, port: port, patience: .seconds(5))
                }
                let answered = statuses.compactMap(\.self)
                #expect(answered.count == 600, "each is answered")
                #expect(!answered.contains { $0 >= 500 && $0 != 503 }, "\(Set(answered))")
                try await suite.awaitEnded()
                try await suite.expectUnharmed(pids)
                Attack.report(600, "branch requests")
            }
        }
    }
}

/// Connections whose bodies do not come to their end.
private final class SlowBodies: Sendable {
    private let sockets: [Int32]

    private init(_ sockets: [Int32]) { self.sockets = sockets }

    static func open(_ count: Int, of length: Int, sending sent: Int, port: Int) async -> SlowBodies {
        let head =
            "POST /orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: \(length)\r\n\r\n"
        let bytes = Array(head.utf8) + [UInt8](repeating: 0x20, count: sent)
        return SlowBodies(
            await Hostile.each(count) { _ in
                let socket = Socket.open()
                guard Socket.connect(socket, port: port) else { return socket }
                var rest = bytes[...]
                // A server that takes no more has refused it.
                while !rest.isEmpty, Socket.wait(socket, for: POLLOUT, timeout: .milliseconds(200)) {
                    let count = Socket.send(socket, rest)
                    if count <= 0 { break }
                    rest = rest.dropFirst(count)
                }
                return socket
            })
    }

    func close() { for socket in sockets { Foundation.close(socket) } }
}
