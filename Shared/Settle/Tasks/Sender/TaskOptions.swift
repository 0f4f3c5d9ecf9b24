public import Foundation

/// What a task asks for beyond being sent at once, and until it is answered. One that asks for nothing pays for nothing.
///
///     TaskOptions(notBefore: .now + 900, uniqueKey: booking.id)
public struct TaskOptions: Sendable, Equatable {
    /// What becomes of a task that nobody has answered in time.
    public enum Expiry: String, Sendable, CaseIterable {
        /// It is archived as `expired`, and what follows from its rejection happens: see `TaskEnd`.
        case drop
        /// It is parked: an operator sends it again, or discards it.
        case park
    }

    /// The most bytes of a key.
    public static let maxKeyBytes = 255

    /// When it is sent at the earliest; nil, or a time that has passed: at once.
    public var notBefore: Date?
    /// Tasks with the same one form a line: each is sent when the one before it was answered, in the order of the commits.
    public var orderKey: String?
    /// When it is given up, if nobody has answered it until then.
    public var expiresAt: Date?
    /// What happens then.
    public var onExpiry = Expiry.drop
    /// While a task of the same type with the same key lives, another is not added.
    public var uniqueKey: String?

    /// What is left out is not asked for.
    public init(
        notBefore: Date? = nil, orderKey: String? = nil, expiresAt: Date? = nil, onExpiry: Expiry = .drop,
        uniqueKey: String? = nil
    ) {
        self.notBefore = notBefore
        self.orderKey = orderKey
        self.expiresAt = expiresAt
        self.onExpiry = onExpiry
        self.uniqueKey = uniqueKey
    }

    /// Asks for nothing.
    public static let none = TaskOptions()

    var isNone: Bool { notBefore == nil && orderKey == nil && expiresAt == nil && uniqueKey == nil }

    /// - Throws: `InvalidTaskOptions`.
    func check() throws(InvalidTaskOptions) {
        for (name, key) in [("orderKey", orderKey), ("uniqueKey", uniqueKey)] {
            guard let key else { continue }
            guard (1...Self.maxKeyBytes).contains(key.utf8.count) else {
                throw InvalidTaskOptions(
                    description: "\(name): 1 to \(Self.maxKeyBytes) bytes are expected, not \(key.utf8.count)")
            }
            guard !key.utf8.contains(0) else {
                throw InvalidTaskOptions(description: "\(name): a NUL can be in no key")
            }
        }
        for (name, date) in [("notBefore", notBefore), ("expiresAt", expiresAt)] {
            guard let date else { continue }
            // The years 1 to 9999; also no NaN.
            guard (-62_135_596_800..<253_402_300_800).contains(date.timeIntervalSince1970) else {
                throw InvalidTaskOptions(description: "\(name): a time of the years 1 to 9999 is expected")
            }
        }
        if let notBefore, let expiresAt, expiresAt <= notBefore {
            throw InvalidTaskOptions(description: "expiresAt: a time after notBefore is expected")
        }
    }
}

/// A task asked for something that cannot be.
public struct InvalidTaskOptions: Error, Sendable, Equatable, CustomStringConvertible {
    /// What, and what is expected.
    public let description: String
}

extension Date {
    /// Of which a `timestamptz` is made.
    var microsecondsSince1970: Int { Int((timeIntervalSince1970 * 1_000_000).rounded()) }
}
