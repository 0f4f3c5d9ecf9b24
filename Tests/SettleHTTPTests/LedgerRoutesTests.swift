import Foundation
import HTTPTypes
import Settle
import SettleHTTPTestSupport
import SettleServiceKit
import Testing

@testable import SettleHTTP

/// Answers with what it was asked.
private struct EchoBook: LedgerBook {
    static let line = LedgerLine(account: "tea", kind: "taken", amount: 2)

    func since() async throws -> Date? { Date(timeIntervalSince1970: 1_767_225_600) }

    func digests(between bounds: [String]) async throws -> [LedgerDigest] {
        bounds.dropLast().enumerated().map { LedgerDigest(lines: $0, sum: $1) }
    }

    func entries(of range: LedgerRange, after: String?, limit: Int) async throws -> LedgerPage {
        LedgerPage(
            entries: [LedgerEntry(key: range.from + "-" + (range.to ?? "open"), lines: [Self.line])],
            next: after.map { "\($0) \(limit)" })
    }

    func entries(of keys: [String]) async throws -> [LedgerEntry] {
        keys.map { LedgerEntry(key: $0, lines: [Self.line]) }
    }

    func balances() async throws -> BalanceComparison {
        BalanceComparison(
            accounts: 3, differences: [BalanceDifference(account: "a", column: "c", balance: 1, ledger: -2)], more: true
        )
    }

    func correct(_ corrections: [BalanceDifference], reason: String) async throws -> [BalanceDifference] { corrections }

    func adjust(_ adjustment: LedgerAdjustment) async throws -> Bool { adjustment.key == "k" }
}

@Suite("A ledger by HTTP", .timeLimit(.minutes(1)))
struct LedgerRoutesTests {
    private func with(_ body: @escaping @Sendable (ServiceClient) async throws -> Void) async throws {
        try await LiveService.run(more: { LedgerRoutes(EchoBook()).add(to: $0) }) { url, outbound, _ in
            try await body(ServiceClient("book", baseURL: url, token: nil, over: outbound))
        }
    }

    @Test("what is asked there is what is answered here")
    func roundTrip() async throws {
        try await with { client in
            let (remote, local) = (HTTPLedgerBook(client), EchoBook())
            #expect(try await remote.since() == local.since())
            #expect(try await remote.digests(between: ["", "b", "c"]) == local.digests(between: ["", "b", "c"]))
            #expect(try await remote.digests(between: ["a"]).isEmpty)
            for (range, after) in [(LedgerRange(from: "", to: "b"), nil), (LedgerRange(from: "a", to: nil), "é")] {
                #expect(
                    try await remote.entries(of: range, after: after, limit: 7)
                        == local.entries(of: range, after: after, limit: 7))
            }
            #expect(try await remote.entries(of: ["x", "y"]) == local.entries(of: ["x", "y"]))
            #expect(try await remote.entries(of: []).isEmpty)
            #expect(try await remote.balances() == local.balances())
            let differences = try await local.balances().differences
            #expect(try await remote.correct(differences, reason: "r") == differences)
            for key in ["k", "other"] {
                let adjustment = LedgerAdjustment(
                    id: UUID().uuidString, key: key, before: [], after: [EchoBook.line], reason: "r")
                #expect(try await remote.adjust(adjustment) == (key == "k"))
            }
        }
    }

    @Test("requests are bounded, and what is missing is named")
    func bounds() async throws {
        let many = String(repeating: #""k","#, count: 1000)
        let lines = String(repeating: #"{"account":"a","kind":"k","amount":1},"#, count: 1000)
        let line = #"{"account":"a","kind":"","amount":1}"#
        let bodies = [
            ("digests", #"{"bounds":["one"]}"#), ("digests", "{}"),
            ("digests", #"{"bounds":[\#(String(repeating: #""k","#, count: 10_001))"k"]}"#),
            ("entries", "{}"), ("entries", #"{"from":"","limit":1001}"#), ("entries", #"{"from":"","limit":0}"#),
            ("entries", #"{"keys":[\#(many)"k"]}"#),
            ("adjustments", #"{"id":"i","key":"","before":[],"after":[],"reason":"r"}"#),
            ("adjustments", #"{"id":"i","key":"k","before":[],"after":[],"reason":""}"#),
            ("adjustments", #"{"id":"i","key":"k","before":[\#(line)],"after":[],"reason":"r"}"#),
            (
                "adjustments",
                #"{"id":"i","key":"k","before":[],"after":[\#(lines){"account":"a","kind":"k","amount":1}],"reason":"r"}"#
            ),
            ("balances", #"{"corrections":[]}"#), ("balances", #"{"corrections":[],"reason":""}"#),
        ]
        try await with { client in
            for (path, body) in bodies {
                let answer = try await client.send(.post, "/ledger/\(path)", json: Array(body.utf8))
                #expect(answer.status == 422, "\(path): \(body.prefix(80))")
            }
        }
    }
}
