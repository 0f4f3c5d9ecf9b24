/// Migrations that belong together, in the order in which they are applied, under the name by which a database remembers
/// which of them it has.
public struct MigrationSet: Sendable, Equatable {
    /// What it is called; the sets of a library bring their names along.
    public let name: String
    /// The schema that its unqualified names stand for; nil: wherever the connection's search path leads.
    public let schema: SchemaName?
    /// In order. New ones come last, and none is changed once it is out.
    public let migrations: [Migration]

    /// - Parameters:
    ///   - name: unlike any other set's in the same database; those that begin with `settle-` are this package's.
    ///   - schema: see above. With one, the same set may be applied once in each of several schemas.
    ///   - migrations: in the order in which they are applied.
    public init(_ name: String, schema: SchemaName? = nil, _ migrations: [Migration]) {
        self.name = name
        self.schema = schema
        self.migrations = migrations
    }

    /// What stands in `settle.migration`: in `public`, or without a schema, the name alone.
    var recordedName: String {
        guard let schema, schema != .public else { return name }
        return "\(name)@\(schema.rawValue)"
    }
}
