import Foundation
import Hummingbird
import Logging
import NIOCore
import SettleServiceKit
import SettleTestSupport
import Synchronization
import SettleHTTPTestSupport
import Testing

@Suite("HTTP: what clients do to connections", .timeLimit(.minutes(1)))
struct LiveConnectionTests {
    private static let get = "GET /things/x HTTP/1.1\r\nHost: a\r\n\r\n"
    private static let post = "POST /things HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    private static let thing = #"{"name":"x","count":1}"#

    /// Limits in milliseconds, so that a test need not wait.
    private static func limits(
        idle: Int = 60_000, head: Int = 60_000, body: Int = 60_000, write: Int = 60_000
    ) -> HTTPLimits {
        var limits = HTTPLimits()
        limits.idleTimeout = .milliseconds(idle)
        limits.headTimeout = .milliseconds(head)
        limits.bodyTimeout = .milliseconds(body)
        limits.writeTimeout = .milliseconds(write)
        return limits
    }

    /// What comes back until the server closes, which it does of itself.
    private static func exchange(_ port: Int, _ bytes: [UInt8]) async throws -> String {
        let client = try await RawClient.open(port)
        await client.send(bytes)
        let rest = await client.rest()
        await client.close()
        return rest
    }

    private static func connections(_ port: Int) async throws -> Int? {
        let client = try await RawClient.open(port)
        await client.send("GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        let metrics = await client.rest()
        await client.close()
        let line = metrics.split(separator: "\n").first { $0.hasPrefix("http_connections ") }
        return line.flatMap { Int($0.dropFirst("http_connections ".count)) }
    }

    /// Until nobody but the one who asks has a connection.
    private static func allClosed(_ port: Int) async throws {
        while try await connections(port) != 1 { try await Task.sleep(for: .milliseconds(20)) }
    }

    private static let notHTTP: [String: String] = [
        "no head": "\u{1}\r\n\r\n",
        "another protocol": "GET / FTP/1.0\r\n\r\n",
        "HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "a space in a name": "GET / HTTP/1.1\r\nHost: a\r\nA b: c\r\n\r\n",
        "no Host": "GET / HTTP/1.1\r\n\r\n",
        "two Hosts": "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "a path that is not UTF-8": "GET /things/%ff HTTP/1.1\r\nHost: a\r\n\r\n",
        "a query that is not UTF-8": "GET /things/x?limit=%ff HTTP/1.1\r\nHost: a\r\n\r\n",
        "an unknown coding": post + "Transfer-Encoding: rot13\r\n\r\n" + thing,
        "a chunk of -1": post + "Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        "bare line feeds": post + "Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n",
        "two lengths": post + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "a length and chunks": post + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "a length beyond any": post + "Content-Length: 18446744073709551616\r\n\r\n",
    ]

    /// What is above the level debug; that it listens may be told when it does so already.
    private static func told(_ collector: LogCollector) -> [String] {
        collector.lines.filter { line in !["trace", "debug", "info Server started"].contains { line.hasPrefix($0) } }
    }

    @Test("what is not HTTP is answered by a 400 in full, and at the level debug")
    func malformed() async throws {
        let collector = LogCollector()
        let log = collector.handler
        try await LiveService.raw(logger: Logger(label: "test") { _ in log }) { port in
            let before = Self.told(collector)
            for (name, text) in Self.notHTTP {
                let answer = RawClient.parse(try await Self.exchange(port, Array(text.utf8)))
                #expect(answer?.status == 400, "\(name)")
                #expect(answer?.headers["content-type"] == "application/problem+json", "\(name)")
                #expect(answer?.headers["connection"] == "close", "\(name)")
                #expect(
                    answer?.body.contains(#""status":400"#) == true && answer?.body.hasSuffix("}") == true, "\(name)")
            }
            #expect(Self.told(collector) == before)
        }
    }

    @Test("keys that are not UTF-8 are refused: they would all be one")
    func keys() async throws {
        try await LiveService.raw { port in
            for byte in [UInt8(0xFE), 0xFF] {
                let head = Self.post + "Content-Length: \(Self.thing.utf8.count)\r\nIdempotency-Key: "
                let text = try await Self.exchange(
                    port, Array(head.utf8) + [byte] + Array("\r\n\r\n\(Self.thing)".utf8))
                #expect(RawClient.parse(text)?.status == 400)
            }
        }
    }

    @Test("a length that no Int holds is 413 at once")
    func hugeLength() async throws {
        try await LiveService.raw { port in
            let text = try await Self.exchange(
                port, Array("\(Self.post)Content-Length: 9223372036854775808\r\n\r\n{".utf8))
            #expect(RawClient.parse(text)?.status == 413)
        }
    }

    @Test("clients that break off in the middle of a body leave no line in the log")
    func brokenOff() async throws {
        let collector = LogCollector()
        let log = collector.handler
        try await LiveService.raw(logger: Logger(label: "test") { _ in log }) { port in
            let before = Self.told(collector)
            for index in 0..<20 {
                let client = try await RawClient.open(port)
                await client.send("\(Self.post)Content-Length: 22\r\n\r\n{")
                if index.isMultiple(of: 2) {
                    try await client.finish()
                    #expect(RawClient.parse(await client.rest())?.status == 400)
                }
                await client.close()
            }
            try await Self.allClosed(port)
            #expect(Self.told(collector) == before)
        }
    }

    @Test("after a head of 4 MB the connection is gone, and its descriptor")
    func endlessHead() async throws {
        try await LiveService.raw { port in
            for _ in 0..<10 {
                let client = try await RawClient.open(port)
                async let sent: Void = client.send(
                    "GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "x", count: 4_000_000))\r\n\r\n")
                let answer = RawClient.parse(await client.rest())
                #expect(answer == nil || answer?.status == 400)
                await client.close()
                await sent
            }
            try await Self.allClosed(port)
        }
    }

    @Test("a head that does not end is 408, and so is a body")
    func slow() async throws {
        for limits in [Self.limits(head: 200), Self.limits(body: 200)] {
            try await LiveService.raw(limits: limits) { port in
                let isHead = limits.headTimeout < limits.bodyTimeout
                let text = isHead ? "GET / HTTP/1.1\r\nHost: " : "\(Self.post)Content-Length: 22\r\n\r\n{"
                let answer = RawClient.parse(try await Self.exchange(port, Array(text.utf8)))
                #expect(answer?.status == 408)
                #expect(answer?.headers["content-type"] == "application/problem+json")
            }
        }
    }

    @Test("a connection without a request is closed, before the first one and after the last")
    func idle() async throws {
        try await LiveService.raw(limits: Self.limits(idle: 1000)) { port in
            #expect(try await Self.exchange(port, []) == "")
            let twice = try await Self.exchange(port, Array((Self.get + Self.get).utf8))
            #expect(twice.components(separatedBy: "HTTP/1.1 200").count == 3)
        }
    }

    @Test("a client that takes nothing of its answer is not kept")
    func deaf() async throws {
        let (entered, enter) = AsyncStream.makeStream(of: Void.self)
        try await LiveService.raw(
            limits: Self.limits(write: 150),
            more: { routes in
                routes.get("long") { _, _ in
                    enter.yield()
                    return Response(
                        status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(repeating: 0x78, count: 64 << 20)))
                }
            }
        ) { port in
            let client = try await RawClient.open(port, isReading: false)
            await client.send("GET /long HTTP/1.1\r\nHost: a\r\n\r\n")
            for await _ in entered { break }
            try await Self.allClosed(port)
            await client.close()
        }
    }

    @Test("a stream of events may be silent for longer than any limit")
    func events() async throws {
        let (asked, ask) = AsyncStream.makeStream(of: Void.self)
        try await LiveService.raw(
            limits: Self.limits(idle: 1500, head: 1500, body: 1500, write: 1500),
            more: { routes in
                routes.get("events") { _, _ in
                    Response(
                        status: .ok,
                        body: ResponseBody { writer in
                            try await writer.write(ByteBuffer(string: "first"))
                            for await _ in asked { break }
                            try await writer.write(ByteBuffer(string: "second"))
                            try await writer.finish(nil)
                        })
                }
            }
        ) { port in
            let client = try await RawClient.open(port)
            await client.send("GET /events HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            // The time is what this is about.
            try await Task.sleep(for: .milliseconds(2500))
            ask.yield()
            let text = await client.rest()
            #expect(text.contains("first") && text.contains("second"))
        }
    }

    @Test("connections beyond the bound are told so and closed; when others have gone there is room")
    func bound() async throws {
        var limits = HTTPLimits()
        limits.maxConnections = 3
        try await LiveService.raw(limits: limits) { port in
            try await Self.allClosed(port)
            var clients: [RawClient] = []
            for _ in 0..<3 {
                let client = try await RawClient.open(port)
                await client.send(Self.get)
                #expect(try await client.answer().status == 200)
                clients.append(client)
            }
            // It need not ask for anything.
            let answer = RawClient.parse(try await Self.exchange(port, []))
            #expect(answer?.status == 503)
            #expect(answer?.headers["retry-after"] == "1")
            #expect(answer?.headers["content-type"] == "application/problem+json")
            for client in clients { await client.close() }
            try await Self.allClosed(port)
        }
    }

    @Test("bodies beyond the budget are 503; when others are done there is room")
    func budget() async throws {
        var limits = HTTPLimits()
        limits.bodyBudget = 1 << 20
        try await LiveService.raw(limits: limits) { port in
            let half = #"{"name":"x","count":1,"note":""# + String(repeating: "x", count: 600_000)
            let head = "\(Self.post)Content-Length: \(half.utf8.count + 2)\r\n\r\n"
            let first = try await RawClient.open(port)
            await first.send(head + half)
            // Until the first one's bytes count.
            var answer: RawClient.Answer?
            while answer == nil {
                let text = try await Self.until503(port, head + half, ending: #""}"#)
                answer = text
            }
            #expect(answer?.headers["retry-after"] == "1")
            await first.send(#""}"#)
            #expect(try await first.answer().status == 201)
            let second = try await RawClient.open(port)
            await second.send(head + half + #""}"#)
            #expect(try await second.answer().status == 201)
            await first.close()
            await second.close()
        }
    }

    /// Nil when the first one's bytes had not all come yet, so that there was room.
    private static func until503(_ port: Int, _ text: String, ending: String) async throws -> RawClient.Answer? {
        let client = try await RawClient.open(port)
        await client.send(text + ending)
        let answer = try await client.answer()
        await client.close()
        return answer.status == 503 ? answer : nil
    }

    @Test("bodies that do not come take nobody's place")
    func places() async throws {
        try await LiveService.raw(limits: HTTPLimits(maxInFlight: 1)) { port in
            var slow: [RawClient] = []
            for _ in 0..<20 {
                let client = try await RawClient.open(port)
                await client.send("\(Self.post)Content-Length: 22\r\n\r\n{")
                slow.append(client)
            }
            for _ in 0..<20 {
                let client = try await RawClient.open(port)
                await client.send(Self.get)
                #expect(try await client.answer().status == 200)
                await client.close()
            }
            for client in slow { await client.close() }
        }
    }

    @Test("requests sent at once are answered in turn, the last ones also when the client ends its side")
    func pipelined() async throws {
        try await LiveService.raw { port in
            let client = try await RawClient.open(port)
            await client.send((0..<50).map { "GET /things/n\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined())
            try await client.finish()
            let names = await client.rest().components(separatedBy: #""name":""#).dropFirst()
            #expect(names.map { $0.prefix { $0 != "\"" } } == (0..<50).map { "n\($0)" })
        }
    }

    @Test(
        "a connection that is to be closed is closed",
        arguments: [
            "GET /things/x HTTP/1.0\r\n\r\n", "GET /things/x HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n",
            "GET /things/x HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        ])
    func last(request: String) async throws {
        try await LiveService.raw { port in
            let answer = RawClient.parse(try await Self.exchange(port, Array(request.utf8)))
            #expect(answer?.status == 200)
            #expect(answer?.headers["connection"] == "close")
        }
    }

    @Test("a client that asks first is told to go on, or not")
    func expectContinue() async throws {
        try await LiveService.raw { port in
            let client = try await RawClient.open(port)
            await client.send("\(Self.post)Expect: 100-continue\r\nContent-Length: \(Self.thing.utf8.count)\r\n\r\n")
            #expect(try await client.answer().status == 100)
            await client.send(Self.thing)
            #expect(try await client.answer().status == 201)
            await client.close()
            let text = try await Self.exchange(
                port, Array("\(Self.post)Expect: 100-continue\r\nContent-Length: 1048577\r\n\r\n".utf8))
            #expect(RawClient.parse(text)?.status == 413)
        }
    }
}
