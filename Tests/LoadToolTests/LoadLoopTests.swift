import Foundation
import SettleCore
import SettleTestSupport
import Testing

@testable import SettleLoadTool

@Suite("Load loop")
struct LoadLoopTests {
    private static let created = "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"

    /// Answers the requests that come over any number of connections, one after the other; nil ends the connection.
    private func serve(_ answer: @escaping @Sendable (String) -> String?) throws -> (port: Int, socket: Int32) {
        let port = try Ports.take()
        let socket = try #require(Socket.listen(port: port))
        DedicatedThread.start(name: "stub") {
            while let connection = Socket.accept(socket) {
                DedicatedThread.start(name: "stub") {
                    // Each request fits into one packet and comes whole.
                    while let request = Socket.receive(connection), !request.isEmpty,
                        let text = answer(String(decoding: request, as: UTF8.self))
                    {
                        _ = Socket.send(connection, Array(text.utf8)[...])
                    }
                    close(connection)
                }
            }
        }
        return (port, socket)
    }

    @Test("a server that stands still for a while is not flattered: what had to wait counts from when it was due")
    func omission() async throws {
        let begin = ContinuousClock.now + .milliseconds(400)
        let (port, socket) = try serve { _ in
            let rest = begin - .now
            if rest > .zero { Thread.sleep(forTimeInterval: rest / .seconds(1)) }
            return Self.created
        }
        defer { shutdown(socket, Int32(SHUT_RDWR)) }
        let scenario = Scenario(mode: "message", pace: .open(perSecond: 100))
        let result = try await LoadLoop.run(scenario, ports: [port], run: "r", for: .milliseconds(400), atMost: 1)
        #expect(result.accepted == 40 && result.errors == 0)
        // One request saw the pause; all forty were due in it, the middle one half-way.
        #expect(try #require(result.latencies.percentile(50)) > 150)
        #expect(try #require(result.latencies.percentile(99)) > 300)
    }

    @Test("a closed loop keeps its clients busy, and counts what was refused or not answered")
    func closed() async throws {
        let (port, socket) = try serve { request in
            if request.contains(#""u7""#) { return nil }
            guard request.contains(#""p1""#) else { return Self.created }
            let body = #"{"type":"https://x/locked"}"#
            return "HTTP/1.1 409 Conflict\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        }
        defer { shutdown(socket, Int32(SHUT_RDWR)) }
        let scenario = Scenario(mode: "tcc", pace: .closed(clients: 4), products: 3)
        let result = try await LoadLoop.run(scenario, ports: [port], run: "r", for: .milliseconds(500))
        #expect(result.accepted > 100)
        #expect(try #require(result.refused["409 locked"]) > 50)
        #expect(result.errors == result.unanswered + result.refused.values.reduce(0, +))
        #expect(result.latencies.count == result.accepted + result.refused.values.reduce(0, +))
    }
}
