import Foundation
import Settle
import SettleCore
import SettleHTTP
import SettleServiceKit
import ShopContract

/// Whether the books of the services agree on all orders of a trial.
struct Books: Encodable, Sendable {
    /// How many findings are told.
    private static let most = 20

    struct Sums: Encodable, Sendable, Equatable {
        /// As orders have it that are settled.
        var ordered: Int64 = 0
        /// As the service's ledger has it.
        var booked: Int64 = 0
    }

    let agree: Bool
    /// Orders by their status.
    let orders: [String: Int]  // ours
    let stockTaken: Sums
    let pointsEarned: Sums
    let pointsSpent: Sums
    let findings: [String]
    /// What order's own comparison of all that is older says.
    let reconciliation: Shop.Reconciliation

    /// Pure: of what was read.
    ///
    /// - Parameters:
    ///   - orders: all since the trial began.
    ///   - stock: what stock has booked since then; `points` likewise.
    ///   - placed: the ids that clients were told.
    ///   - wrongBalances: balances that are not the sum of their ledger, in words.
    init(
        orders: [PlacedOrder], stock: [LedgerEntry], points: [LedgerEntry], placed: Set<String>,  // ours
        wrongBalances: [String], reconciliation: Shop.Reconciliation
    ) {
        let settled = orders.filter { $0.status == "settled" }
        let taken = settled.map { order in
            LedgerEntry(
                key: order.id,
                lines: order.items.map { LedgerLine(account: $0.sku, kind: "taken", amount: $0.quantity) })
        }
        let earned = settled.map { order in
            LedgerEntry(
                key: order.id,
                lines: [("earned", order.point), ("spent", order.spendPoints)].filter { $0.1 > 0 }
                    .map { LedgerLine(account: order.userName, kind: $0.0, amount: $0.1) })
        }
        var findings: [String] = []
        for (book, expected, booked) in [
            (ShopServices.stock.name, taken, stock), (ShopServices.userPoints.name, earned, points),
        ] {
            findings += LedgerComparer.differences(expected: expected, booked: booked).map {
                "\(book), order \($0.key): expected \(Self.text($0.expected)), booked \(Self.text($0.booked))"
            }
        }
        findings += orders.filter { $0.status != "settled" && $0.status != "cancelled" }
            .map { "order \($0.id) is \($0.status)" }
        findings += placed.subtracting(orders.map(\.id)).sorted().map { "order \($0) was answered and is lost" }
        findings += wrongBalances
        if !reconciliation.clean { findings.append("the comparison of all books has \(reconciliation.found) findings") }
        agree = findings.isEmpty
        self.findings = Array(findings.prefix(Self.most))
        self.orders = orders.reduce(into: [:]) { $0[$1.status, default: 0] += 1 }
        stockTaken = Self.sums("taken", taken, stock)
        pointsEarned = Self.sums("earned", earned, points)
        pointsSpent = Self.sums("spent", earned, points)
        self.reconciliation = reconciliation
    }

    private static func sums(_ kind: String, _ expected: [LedgerEntry], _ booked: [LedgerEntry]) -> Sums {
        func sum(_ entries: [LedgerEntry]) -> Int64 {
            entries.flatMap(\.lines).filter { $0.kind == kind }.reduce(0) { $0 &+ $1.amount }
        }
        return Sums(ordered: sum(expected), booked: sum(booked))
    }

    private static func text(_ lines: [LedgerLine]) -> String {
        lines.isEmpty ? "nothing" : lines.map { "\($0.amount) \($0.kind) of \($0.account)" }.joined(separator: ", ")
    }
}

extension Shop {
    /// Reads the books, only looking.
    ///
    /// - Parameters:
    ///   - begin: since when.
    ///   - placed: the ids of orders that clients were told.
    func books(since begin: Date, placed: Set<String>) async throws -> Books {  // ours
        let stock = try await booked(ShopServices.stock, since: begin)
        let points = try await booked(ShopServices.userPoints, since: begin)
        // After the books: an order that came between is settled or not, its lines are not missed.
        let all = try await orders(since: begin)
        return Books(
            orders: all, stock: stock.entries, points: points.entries, placed: placed,
            wrongBalances: stock.wrong + points.wrong, reconciliation: try await reconcile())
    }

    private func booked(
        _ peer: PeerService, since begin: Date
    ) async throws -> (entries: [LedgerEntry], wrong: [String]) {
        let book = try book(peer)
        var entries: [LedgerEntry] = []
        var next: String?
        let range = LedgerRange(from: UUID.leastV7(at: begin).uuidString.lowercased(), to: nil)
        repeat {
            let page = try await book.entries(of: range, after: next, limit: 1000)
            entries += page.entries
            next = page.next
        } while next != nil && entries.count < 10_000
        let wrong = try await book.balances().differences.map {
            "\(peer.name): \($0.column) of \($0.account) is \($0.balance), its ledger says \($0.ledger)"
        }
        return (entries, wrong)
    }
}
