import SettlePostgres
import SettleTestSupport
import Testing

extension Ledger {
    init(_ suite: Suite) async throws {
        try await self.init { part, sql, parameters in
            let role: Role =
                switch part {
                case .order: .order
                case .stock: .stock
                case .points: .userPoints
                }
            let rows = try await suite.rows(role, sql, parameters.map { .text($0) })
            return try rows.map { row in
                try rows.columns.indices.map { try row.decode(String?.self, at: $0) }
            }
        }
    }
}

extension Suite {
    /// Waits until all is settled, and checks that the books agree with each other and with what the clients were told, and each
    /// balance with its ledger.
    ///
    /// - Parameters:
    ///   - attempts: what the clients saw.
    ///   - cancelled: how many orders must have been cancelled; without it, those of unknown users and only those.
    ///   - points: what users had at first who were not seeded.
    ///   - available: what there was at first of products that were not seeded.
    @discardableResult
    func expectAgreement(
        _ attempts: [Attempt], cancelled: Int? = nil, points: [String: Int] = [:], available: [String: Int] = [:],
        within limit: Duration = .seconds(60), sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Ledger {
        try await awaitSettled(within: limit)
        let ledger = try await Ledger(self)
        let disagreements = ledger.disagreements(
            points: Dictionary(uniqueKeysWithValues: Seed.users.map { ($0, Seed.points) }).merging(points) { $1 },
            available: Seed.products.mapValues { _ in Seed.available }.merging(available) { $1 })
        if !disagreements.isEmpty {
            Issue.record(
                "\(disagreements.count) disagreements: \(disagreements.prefix(12).joined(separator: "; "))",
                sourceLocation: sourceLocation)
        }
        let wrong = try await wrongBalances(openings: points.merging(available) { $1 })
        #expect(wrong.isEmpty, "\(wrong.prefix(12).joined(separator: "; "))", sourceLocation: sourceLocation)
        if let cancelled {
            #expect(ledger.orders.count { $0.status == "cancelled" } == cancelled, sourceLocation: sourceLocation)
        } else {
            let wrong = ledger.orders.filter { ($0.status == "settled") != Seed.users.contains($0.userName) }
            #expect(wrong.isEmpty, "\(wrong.count) orders ended in the wrong way", sourceLocation: sourceLocation)
        }
        let ids = Set(ledger.orders.map(\.id))
        let placed = attempts.filter { $0.status == 201 }
        let lost = placed.filter { !ids.contains($0.orderID ?? "") }
        #expect(lost.isEmpty, "\(lost.count) orders that were answered 201 are lost", sourceLocation: sourceLocation)
        let keys = Set(attempts.map(\.key))
        let strangers = ledger.orders.filter { order in !(order.key.map(keys.contains) ?? false) }
        #expect(strangers.isEmpty, "\(strangers.count) orders that nobody placed", sourceLocation: sourceLocation)
        return ledger
    }
}
