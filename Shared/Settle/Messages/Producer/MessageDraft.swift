import SettleCore
public import Foundation

/// A message that is to be sent if a business transaction commits.
public struct MessageDraft: Sendable {
    /// Its name, everywhere: a new one for each draft.
    public let id: UUID
    package let route: MessageRoute
    package let businessKey: String
    package let body: String
    package let traceParent: String?

    /// What a centre takes in one message, in bytes.
    public static let maxBodyBytes = 256 << 10

    /// About how many bytes it keeps while it waits.
    public var roughSize: Int { businessKey.utf8.count + body.utf8.count + 128 }

    /// - Parameters:
    ///   - route: where it goes.
    ///   - businessKey: what it is about, an order's id for instance; for people, and for looking messages up.
    ///   - body: what its consumer needs to know; sent as JSON of at most `maxBodyBytes`.
    ///   - traceParent: the W3C trace that it belongs to; the current one when left out.
    /// - Throws: what encoding throws; `MessageTooLarge`.
    public init(
        _ route: MessageRoute, businessKey: String, body: some Encodable,
        traceParent: String? = TraceHeader.current()
    ) throws {
        id = .v7()
        self.route = route
        self.businessKey = businessKey
        self.body = String(decoding: try JSONEncoder().encode(body), as: UTF8.self)
        self.traceParent = traceParent
        guard self.body.utf8.count <= Self.maxBodyBytes else { throw MessageTooLarge(bytes: self.body.utf8.count) }
    }
}

/// A body that no message centre would take.
public struct MessageTooLarge: Error, Sendable, CustomStringConvertible {
    /// How many it has.
    public let bytes: Int
    /// For a developer.
    public var description: String { "\(bytes) bytes are more than a message may have" }
}
