import Foundation
import Settle

/// `GET /ledger`
struct LedgerAnswer: Codable, Sendable {
    /// Since when it holds everything.
    let since: Date?
}

/// `POST /ledger/digests`
struct DigestsRequest: Codable, Sendable {
    let bounds: [String]
}

/// What it answers: one for each range from a bound to the next.
struct DigestsAnswer: Codable, Sendable {
    let digests: [LedgerDigest]
}

/// `POST /ledger/entries`: a range by pages, or keys.
struct EntriesRequest: Codable, Sendable {
    var from: String?
    var to: String?
    var after: String?
    var limit: Int?
    var keys: [String]?
}

/// `POST /ledger/balances`
struct CorrectionsRequest: Codable, Sendable {
    let corrections: [BalanceDifference]
    let reason: String
}

/// What it answers: those balances that were set.
struct CorrectionsAnswer: Codable, Sendable {
    let corrected: [BalanceDifference]
}

/// What `POST /ledger/adjustments` answers: false when the entry is not any more what was seen.
struct AdjustmentAnswer: Codable, Sendable {
    let adjusted: Bool
}
