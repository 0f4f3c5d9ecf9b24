/// A database URL, or the name of a schema, that cannot be used. The text is one line for an operator and never holds the
/// password.
public struct PostgresConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong.
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
