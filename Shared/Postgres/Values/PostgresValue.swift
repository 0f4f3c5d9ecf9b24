public import Foundation

/// A value bound to `$1`, `$2`, … of a statement.
///
/// It is sent as text without a type, so the server takes the type from where the parameter stands: `$1::bigint[]`,
/// a column, an operator. Where it stands alone (`SELECT $1`) it is `text`.
public enum PostgresValue: Sendable, Hashable {
    /// NULL.
    case null
    /// A text; a NUL byte in it is refused with `.invalidParameter`, since PostgreSQL cannot hold one.
    case text(String)
    /// A whole number.
    case int64(Int64)
    /// A truth value.
    case bool(Bool)
    /// A floating-point number, infinities and NaN included.
    case double(Double)
    /// `bytea`.
    case bytes([UInt8])
    /// `uuid`.
    case uuid(UUID)
    /// A point in time, to the microsecond.
    case date(Date)
    /// `text[]`, for `unnest`.
    case texts([String?])
    /// `bigint[]`, for `unnest`.
    case ints([Int?])
    /// `boolean[]`, for `unnest`.
    case bools([Bool])
    /// `uuid[]`, for `unnest`.
    case uuids([UUID])

    /// A whole number.
    public static func int(_ value: Int) -> PostgresValue { .int64(Int64(value)) }

    /// `bigint[]`, for `unnest`.
    public static func int64s(_ values: [Int64]) -> PostgresValue { .ints(values.map { Int($0) }) }

    /// A JSON text for `json` or `jsonb`.
    public static func json(_ text: String) -> PostgresValue { .text(text) }
}

extension PostgresValue {
    /// The text, or NULL.
    public init(_ value: String?) { self = value.map(PostgresValue.text) ?? .null }
    /// The number, or NULL.
    public init(_ value: Int?) { self = value.map(PostgresValue.int) ?? .null }
    /// The number, or NULL.
    public init(_ value: Int64?) { self = value.map(PostgresValue.int64) ?? .null }
    /// The truth value, or NULL.
    public init(_ value: Bool?) { self = value.map(PostgresValue.bool) ?? .null }
    /// The number, or NULL.
    public init(_ value: Double?) { self = value.map(PostgresValue.double) ?? .null }
    /// The bytes, or NULL.
    public init(_ value: [UInt8]?) { self = value.map(PostgresValue.bytes) ?? .null }
    /// The UUID, or NULL.
    public init(_ value: UUID?) { self = value.map(PostgresValue.uuid) ?? .null }
    /// The point in time, or NULL.
    public init(_ value: Date?) { self = value.map(PostgresValue.date) ?? .null }
}

extension PostgresValue: ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByNilLiteral
{
    /// A text.
    public init(stringLiteral value: String) { self = .text(value) }
    /// A whole number.
    public init(integerLiteral value: Int64) { self = .int64(value) }
    /// A floating-point number.
    public init(floatLiteral value: Double) { self = .double(value) }
    /// A truth value.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// NULL.
    public init(nilLiteral: ()) { self = .null }
}
