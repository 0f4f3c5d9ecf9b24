public import Foundation
import HTTPTypes
public import Settle
public import SettleServiceKit

/// Another service's ledger, by HTTP.
public struct HTTPLedgerBook: LedgerBook {
    /// A checksum over very many entries takes a while.
    private static let timeout: Duration = .seconds(30)
    private let client: ServiceClient

    /// - Parameter client: calls the service.
    public init(_ client: ServiceClient) { self.client = client }

    /// `GET /ledger`
    public func since() async throws -> Date? {
        let answer: LedgerAnswer = try client.decode(try await client.send(.get, "/ledger", timeout: Self.timeout))
        return answer.since
    }

    /// `POST /ledger/digests`
    public func digests(between bounds: [String]) async throws -> [LedgerDigest] {
        guard bounds.count > 1 else { return [] }
        let answer: DigestsAnswer = try await client.post(
            "/ledger/digests", DigestsRequest(bounds: bounds), timeout: Self.timeout)
        guard answer.digests.count == bounds.count - 1 else {
            throw ServiceClientError.invalidAnswer("not a checksum for each range")
        }
        return answer.digests
    }

    /// `POST /ledger/entries`
    public func entries(of range: LedgerRange, after: String?, limit: Int) async throws -> LedgerPage {
        try await client.post(
            "/ledger/entries", EntriesRequest(from: range.from, to: range.to, after: after, limit: limit),
            timeout: Self.timeout)
    }

    /// `POST /ledger/entries`
    public func entries(of keys: [String]) async throws -> [LedgerEntry] {
        guard !keys.isEmpty else { return [] }
        let page: LedgerPage = try await client.post(
            "/ledger/entries", EntriesRequest(keys: keys), timeout: Self.timeout)
        return page.entries
    }

    /// `GET /ledger/balances`
    public func balances() async throws -> BalanceComparison {
        try client.decode(try await client.send(.get, "/ledger/balances", timeout: Self.timeout))
    }

    /// `POST /ledger/balances`
    public func correct(_ corrections: [BalanceDifference], reason: String) async throws -> [BalanceDifference] {
        let answer: CorrectionsAnswer = try await client.post(
            "/ledger/balances", CorrectionsRequest(corrections: corrections, reason: reason), timeout: Self.timeout)
        return answer.corrected
    }

    /// `POST /ledger/adjustments`
    public func adjust(_ adjustment: LedgerAdjustment) async throws -> Bool {
        let answer: AdjustmentAnswer = try await client.post("/ledger/adjustments", adjustment, timeout: Self.timeout)
        return answer.adjusted
    }
}
