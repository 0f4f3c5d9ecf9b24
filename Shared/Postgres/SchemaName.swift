/// The name of a schema, fit to stand in SQL.
///
/// It is taken as it is written, small and capital letters too: `Outbox` and `outbox` are two schemas.
public struct SchemaName: Sendable, Hashable, CustomStringConvertible {
    /// The schema that every new database has.
    public static let `public` = SchemaName(checked: "public")

    /// The schema that Settle keeps its own tables in.
    public static let settle = SchemaName(checked: "settle")

    /// Longer names PostgreSQL would cut short (its documentation, 4.1.1).
    private static let lengths = 1...63

    /// The name, without quotes.
    public let rawValue: String
    /// The name as an identifier in SQL: between double quotes.
    public let quoted: String

    /// - Parameter name: 1 to 63 bytes without NUL; not `pg_…`, which PostgreSQL keeps for itself.
    public init(_ name: String) throws(PostgresConfigurationError) {
        guard Self.lengths.contains(name.utf8.count), !name.utf8.contains(0) else {
            throw PostgresConfigurationError("a schema's name has 1 to 63 bytes, and no NUL")
        }
        guard !name.hasPrefix("pg_") else {
            throw PostgresConfigurationError("schemas called pg_… are PostgreSQL's own")
        }
        self.init(checked: name)
    }

    private init(checked name: String) {
        rawValue = name
        quoted = "\"" + name.replacing("\"", with: "\"\"") + "\""
    }

    /// The name, without quotes.
    public var description: String { rawValue }
}
