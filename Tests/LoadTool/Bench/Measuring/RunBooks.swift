import Foundation
import SettleTestSupport

/// The books as they were before a run, and whether they agree after it.
struct RunBooks: Sendable {
    private let before: Ledger
    private let start: Date

    /// To be made before the first order, when everything has settled.
    init(_ databases: BenchDatabases) async throws {
        before = try await databases.ledger(since: BenchRun.firstID(at: .distantFuture))
        start = Date()
    }

    /// Figures only for books that agree.
    ///
    /// - Parameters:
    ///   - results: what the clients saw since the books were read, all of it.
    ///   - measured: since when orders count in the figures.
    func row(
        _ scenario: Scenario, _ figures: @Sendable (_ settled: Int) -> Figures, _ results: [LoadResult],
        measuredSince measured: Date, in databases: BenchDatabases
    ) async throws -> BenchReport.Row {
        let ledger = try await databases.ledger(since: BenchRun.firstID(at: start))
        var disagreements = ledger.disagreements(points: before.points, available: before.available)
        let accepted = results.reduce(0) { $0 + $1.accepted }
        let unanswered = results.reduce(0) { $0 + $1.unanswered }
        if !(accepted...(accepted + unanswered)).contains(ledger.orders.count) {
            disagreements.append(
                "\(accepted) orders were accepted and \(unanswered) not answered, \(ledger.orders.count) exist")
        }
        let first = BenchRun.firstID(at: measured)
        let settled = ledger.settled.count { $0.id >= first }
        if settled == 0 { disagreements.append("no order was settled") }
        return BenchReport.Row(
            scenario: scenario, figures: disagreements.isEmpty ? figures(settled) : nil, disagreements: disagreements)
    }
}
