public import Foundation

/// A type that a column can be decoded as.
public protocol PostgresDecodable {
    /// Reads PostgreSQL's text form (`nil` is NULL) of a value whose type has the OID `type`; `nil` when it is
    /// something else.
    ///
    /// The bytes belong to the result and are valid during the call only: copy, never keep them.
    static func decode(_ text: UnsafeRawBufferPointer?, type: UInt32) -> Self?
}

extension String: PostgresDecodable {
    /// Any type's text.
    public static func decode(_ text: UnsafeRawBufferPointer?, type: UInt32) -> String? {
        unsafe text.map { unsafe String(decoding: $0, as: UTF8.self) }
    }
}

extension Int64: PostgresDecodable {
    /// Whole numbers in range.
    public static func decode(_ text: UnsafeRawBufferPointer?, type: UInt32) -> Int64? {
        guard let text = unsafe text, let first = unsafe text.first else { return nil }
        let isNegative = first == UInt8(ascii: "-")
        var value: Int64 = 0
        guard !isNegative || text.count > 1 else { return nil }
        for index in (isNegative ? 1 : 0)..<text.count {
            let digit = unsafe text[index] &- UInt8(ascii: "0")
            guard digit <= 9 else { return nil }
            // Counted down for negative numbers, since the smallest one has no positive twin.
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) =
                isNegative
                ? product.subtractingReportingOverflow(Int64(digit)) : product.addingReportingOverflow(Int64(digit))
            guard !overflow, !carry else { return nil }
            value = sum
        }
        return value
    }
}

extension Int: PostgresDecodable {
    /// Whole numbers in range.
    public static func decode(_ text: UnsafeRawBufferPointer?, type: UInt32) -> Int? {
        unsafe Int64.decode(text, type: type).flatMap { Int(exactly: $0) }
    }
}

extension Bool: PostgresDecodable {
    /// `boolean`.
    public static func decode(_ text: UnsafeRawBufferPointer?, type: UInt32) -> Bool? {
        guard let text = unsafe text, text.count == 1 else { return nil }
        return switch unsafe text[0] {
        case UInt8(ascii: "t"): true
        case UInt8(ascii: "f"): false
        default: nil
        }
    }
}

extension Double: PostgresDecodable {
    /// Any number, infinities and NaN included; `numeric` may lose digits.
    public static func decode(_ text: UnsafeRawBufferPointer?, type: UInt32) -> Double? {
        unsafe String.decode(text, type: type).flatMap { Double($0) }
    }
}

extension UUID: PostgresDecodable {
    /// `uuid`, or a text that holds one.
    public static func decode(_ text: UnsafeRawBufferPointer?, type: UInt32) -> UUID? {
        unsafe String.decode(text, type: type).flatMap { UUID(uuidString: $0) }
    }
}

extension Date: PostgresDecodable {
    /// `timestamptz`, `timestamp` (taken as UTC) or `date`.
    public static func decode(_ text: UnsafeRawBufferPointer?, type: UInt32) -> Date? {
        guard let text = unsafe text else { return nil }
        return unsafe TimestampText.date(of: text)
    }
}

extension [UInt8]: PostgresDecodable {
    /// The bytes of a `bytea`; of any other type, those of its text in UTF-8.
    public static func decode(_ text: UnsafeRawBufferPointer?, type: UInt32) -> [UInt8]? {
        guard let text = unsafe text else { return nil }
        let bytea: UInt32 = 17
        return unsafe type == bytea ? HexText.bytes(of: text) : [UInt8](text)
    }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    /// `nil` for NULL.
    public static func decode(_ text: UnsafeRawBufferPointer?, type: UInt32) -> Wrapped?? {
        guard let text = unsafe text else { return .some(nil) }
        return unsafe Wrapped.decode(text, type: type).map { .some($0) }
    }
}
