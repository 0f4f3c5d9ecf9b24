/// The transaction of one order as a script of pgbench: the same statements with the same parameters, but for the
/// order's id and the user's name, which are others each time.
struct FloorScript: Equatable {
    /// For `pgbench --file`.
    let text: String
    /// For `pgbench --define`.
    let variables: [String]

    /// The ids of its orders are below this one, and no others are: a service's ids begin with the time.
    static let end = "00000001-0000-7000-8000-000000000000"

    /// - Parameters:
    ///   - statements: of the transaction, in order.
    ///   - id: the order's id in their parameters.
    ///   - user: the user's name in them.
    init(_ statements: [StatementLog.Statement], id: String, user: String) {
        var variables = ["n=0"]
        let commands = statements.enumerated().map { number, statement in
            let values = statement.parameters.enumerated().map { index, value -> String in
                guard let value else { return "NULL" }
                let name = "s\(number)p\(index)"
                let marked = value.replacing(id, with: "@id@").replacing(user, with: "@user@")
                variables.append("\(name)=\(marked)")
                var expression = ":\(name)"
                if marked.contains("@id@") {
                    expression =
                        "replace(\(expression), '@id@', '00000000-0000-7000-8000-' || lpad(to_hex(:id::bigint), 12, '0'))"
                }
                if marked.contains("@user@") { expression = "replace(\(expression), '@user@', 'u' || :user::text)" }
                return "(\(expression))"
            }
            return Self.put(values, into: statement.sql) + ";"
        }
        self.variables = variables
        text =
            ([
                #"\set n :n + 1"#, #"\set id :n * 1024 + :client_id"#, #"\set user random(1, 1000)"#,
                #"\startpipeline"#,
                "BEGIN;",
            ] + commands + ["COMMIT;", #"\endpipeline"#]).joined(separator: "\n") + "\n"
    }

    /// Replaces `$1`, `$2` … by what stands for them.
    private static func put(_ values: [String], into sql: String) -> String {
        sql.replacing(#/\$(\d+)/#) { match in
            guard let number = Int(match.1), values.indices.contains(number - 1) else { return String(match.0) }
            return values[number - 1]
        }
    }
}
