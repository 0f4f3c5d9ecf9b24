import Foundation
import SettleCore

/// Something that is not as it should be.
public struct ReconciliationFinding: Codable, Sendable, Equatable {
    /// By which a person has its proposal applied: a UUID.
    public let id: String
    /// What sort of thing: a word of the application's own, or `balance`, `branch`.
    public let kind: String
    /// Whose, where it is about a business key.
    public let orderId: String?
    /// Whose, where it is about something else: an account, an XID, a task.
    public let key: String?
    /// Which book, where it is about one.
    public let book: String?
    /// For a person: what should be, and what is.
    public let detail: String
    /// Whether it was mended, or is being mended by a task that is on its way. The next run says.
    public var repaired = false
    /// What a person may have done about it.
    public var proposal: ReconciliationProposal?

    /// - Parameters:
    ///   - kind: what sort of thing.
    ///   - orderId: the business key that it is about; nil for something else.
    ///   - key: that other thing.
    ///   - book: which book, if it is about one.
    ///   - detail: for a person.
    ///   - proposal: what a person may have done about it.
    public init(
        kind: String, orderId: String? = nil, key: String? = nil, book: String? = nil, detail: String,
        proposal: ReconciliationProposal? = nil
    ) {
        id = UUID.v7().uuidString.lowercased()
        self.kind = kind
        self.orderId = orderId
        self.key = key
        self.book = book
        self.detail = detail.cut(toBytes: 1000)
        self.proposal = proposal
    }

    /// Whose, whatever it is.
    var subject: String { orderId ?? key ?? "" }
}
