/// One SQL statement with its parameters, on its way into a pipeline.
struct Statement: Sendable {
    let sql: String
    let parameters: [PostgresValue]
    /// Whether the server shall keep it prepared: worth it only for a text that comes again.
    let isPrepared: Bool

    init(_ sql: String, _ parameters: [PostgresValue] = [], isPrepared: Bool = true) {
        self.sql = sql
        self.parameters = parameters
        self.isPrepared = isPrepared
    }

    static let begin = Statement("BEGIN")
    static let commit = Statement("COMMIT")
    /// Not prepared: it must work when everything prepared is gone.
    static let rollback = Statement("ROLLBACK", isPrepared: false)

    static func prepareTransaction(gid: String) -> Statement {
        // The command takes no parameters; E'' makes the escapes mean the same whatever the server's settings.
        let escaped = gid.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
        return Statement("PREPARE TRANSACTION E'\(escaped)'", isPrepared: false)
    }

    /// The protocol counts parameters in 16 bits and the server takes messages of up to 1 GiB; half of that, since
    /// the size is an estimate.
    private static let maxParameters = 65_535
    private static let maxBytes = 512 * 1024 * 1024

    /// About how many bytes it keeps while it waits.
    var roughSize: Int { parameters.reduce(sql.utf8.count + 64) { $0 + $1.roughSize } }

    /// Refuses, as `.invalidParameter`, what cannot be sent; after it, sending fails with the connection only.
    ///
    /// - Parameter isScript: it goes by the simple protocol, which can get past a COPY.
    func validate(isScript: Bool = false) throws(PostgresError) {
        guard parameters.count <= Self.maxParameters else {
            throw invalid("a statement takes at most \(Self.maxParameters) parameters")
        }
        guard !sql.utf8.contains(0) else { throw invalid("the statement holds a NUL byte") }
        // Before anything is sent: the server would go on behind it, and commit.
        guard isScript || !isClientCopy else { throw invalid(Self.copyRefusal) }
        for (index, parameter) in parameters.enumerated() {
            guard !parameter.holdsNUL else { throw invalid("the text of $\(index + 1) holds a NUL byte") }
            guard parameter.isDateInRange else {
                throw invalid("the date of $\(index + 1) is none that PostgreSQL can hold")
            }
        }
        guard roughSize <= Self.maxBytes else { throw invalid("a statement and its parameters take at most 512 MiB") }
    }

    private func invalid(_ message: String) -> PostgresError {
        PostgresError(.invalidParameter, message, statement: sql)
    }

    /// Whether the server surely does it inside the surrounding transaction and commits nothing on its own, which
    /// holds for queries and row changes but not for `CALL`, `DO`, `VACUUM`, `COMMIT PREPARED` or `SAVEPOINT`.
    /// Anything that does not start with one of these words (a comment, say) counts as not plain.
    var isPlain: Bool {
        let text = sql.utf8.drop { Self.separators.contains($0) }
        return Self.plainWords.contains { word in
            var rest = text[...]
            for letter in word {
                // Setting the sixth bit turns an upper case letter into its lower case one.
                guard let next = rest.popFirst(), next | 0x20 == letter else { return false }
            }
            return rest.first.map(Self.separators.contains) ?? false
        }
    }

    private static let separators = Array(" \n\t(".utf8)
    private static let plainWords = ["select", "insert", "update", "delete", "with"].map { Array($0.utf8) }
}
