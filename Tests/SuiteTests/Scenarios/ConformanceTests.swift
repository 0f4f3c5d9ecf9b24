import Foundation
import SettleTestSupport
import Testing

extension Proof {
    /// `settle-conformance` against the real services: they keep the rules of docs/wire-protocol.md.
    @Suite("Conformance to the wire protocol", .timeLimit(.minutes(5)))
    struct ConformanceTests {
        @Test("stock and user-points are participants as the page says, in all four modes")
        func participants() async throws {
            let ports = (stock: try Ports.take(), points: try Ports.take())
            try await Suite.with(settings: ["TRANSACTION_CHECK_AFTER": "300ms"]) { suite in
                for (role, port) in [(Role.stock, ports.stock), (.userPoints, ports.points)] {
                    try await suite.stop(try suite.process(role))
                    let initiators = "order=\(suite.url(.order)), conformance=http://127.0.0.1:\(port)"
                    try await suite.awaitReady(try suite.start(role, settings: ["INITIATORS": initiators]))
                }
                func items(_ quantity: Int) -> String {
                    #"{"orderId": "conformance-{n}", "items": [{"sku": "tea", "quantity": \#(quantity)}]}"#
                }
                func spending(_ points: Int) -> String {
                    #"{"userName": "alice", "orderId": "conformance-{n}", "point": \#(points)}"#
                }
                async let stock: Void = participant(
                    suite, .stock, ports.stock, "deduct", [items(1), items(2), items(1_000_000)], watch: "/products/tea"
                )
                async let points: Void = participant(
                    suite, .userPoints, ports.points, "spend", [spending(1), spending(2), spending(1_000_000)],
                    watch: "/users/alice")
                _ = try await (stock, points)
            }
        }

        @Test("order is an initiator as the page says, and a participant's place is not one")
        func order() async throws {
            try await Suite.with { suite in
                let output = try await run(suite, ["initiator", "--url", suite.url(.order)])
                #expect(output.contains(" 0 failed, 0 skipped"), "\(output)")
                // It can fail: stock has no such route.
                await #expect(throws: Command.Failed.self) {
                    try await run(suite, ["initiator", "--url", suite.url(.stock)])
                }
            }
        }

        /// - Parameter bodies: one that is done, another one, and one that is refused.
        private func participant(
            _ suite: Suite, _ role: Role, _ port: Int, _ action: String, _ bodies: [String], watch: String
        ) async throws {
            let output = try await run(
                suite,
                [
                    "participant", "--url", suite.url(role), "--action", action, "--body", bodies[0], "--other-body",
                    bodies[1], "--refused-body", bodies[2], "--listen", "127.0.0.1:\(port)", "--watch", watch,
                ])
            #expect(output.contains(" 0 failed, 1 skipped"), "all but the mode that is not offered (P9): \(output)")
            #expect(try await suite.undecided(role).isEmpty)
        }

        private func run(_ suite: Suite, _ arguments: [String]) async throws -> String {
            let file = FileManager.default.temporaryDirectory.appending(path: "settle-token-\(UUID())")
            try Data(suite.token.utf8).write(to: file)
            defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: file) } }
            return try await Command.run(
                suite.surroundings.testbed.bin.appending(path: "settle-conformance").path,
                arguments + ["--token-file", file.path])
        }
    }
}
