import Foundation
public import Hummingbird
public import Settle
public import SettleServiceKit

/// `/ledger`: an application's ledger, as whoever reconciles asks for it; internal.
public struct LedgerRoutes: Sendable {
    static let maxText = 255
    private let book: any LedgerBook

    /// The routes of `book`.
    public init(_ book: any LedgerBook) { self.book = book }

    /// Adds checksums, entries, balances, and what puts each right.
    public func add(to guarded: RouterGroup<some RequestContext>) {
        guarded.get("ledger") { _, _ in try Response.json(LedgerAnswer(since: try await book.since())) }
        guarded.post("ledger/digests") { request, context in
            let bounds = try await requireJSON(DigestsRequest.self, from: request, context: context).bounds
            try Check.count("bounds", bounds, 2...DatabaseLedger.maxBounds)
            return try Response.json(DigestsAnswer(digests: try await book.digests(between: bounds)))
        }
        guarded.post("ledger/entries") { request, context in
            let asked = try await requireJSON(EntriesRequest.self, from: request, context: context)
            if let keys = asked.keys {
                try Check.count("keys", keys, 0...DatabaseLedger.maxEntries)
                return try Response.json(LedgerPage(entries: try await book.entries(of: keys), next: nil))
            }
            guard let from = asked.from else { throw Problem.unprocessable("from, or keys, is missing") }
            let limit = asked.limit ?? DatabaseLedger.maxEntries
            try Check.range("limit", limit, in: 1...DatabaseLedger.maxEntries)
            return try Response.json(
                try await book.entries(
                    of: LedgerRange(from: from, to: asked.to), after: asked.after, limit: limit))
        }
        guarded.post("ledger/adjustments") { request, context in
            let adjustment = try await requireJSON(LedgerAdjustment.self, from: request, context: context)
            try Check.length("key", adjustment.key, 1...Self.maxText)
            try Check.length("reason", adjustment.reason, 1...Self.maxText)
            for (field, lines) in [("before", adjustment.before), ("after", adjustment.after)] {
                try Check.count(field, lines, 0...DatabaseLedger.maxEntries)
                for line in lines {
                    try Check.length("\(field).account", line.account, 1...Self.maxText)
                    try Check.length("\(field).kind", line.kind, 1...Self.maxText)
                }
            }
            return try Response.json(AdjustmentAnswer(adjusted: try await book.adjust(adjustment)))
        }
        guarded.get("ledger/balances") { _, _ in try Response.json(try await book.balances()) }
        guarded.post("ledger/balances") { request, context in
            let asked = try await requireJSON(CorrectionsRequest.self, from: request, context: context)
            try Check.count("corrections", asked.corrections, 0...BalanceComparison.limit)
            try Check.length("reason", asked.reason, 1...Self.maxText)
            let corrected = try await book.correct(asked.corrections, reason: asked.reason)
            return try Response.json(CorrectionsAnswer(corrected: corrected))
        }
    }
}

extension ProblemMapping {
    /// A question that a ledger cannot be asked is the client's fault.
    public static let ledger = ProblemMapping { error in
        (error as? LedgerRequestError).map { .unprocessable($0.description) }
    }
}
