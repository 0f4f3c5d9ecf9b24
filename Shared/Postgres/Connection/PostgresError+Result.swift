extension PostgresError {
    /// The server's error report.
    init(_ result: ResultHandle, statement: String?) {
        self.init(.server, result.primaryMessage ?? result.errorMessage, statement: statement)
        sqlState = result.sqlState
        constraint = result.constraint
        detail = result.detail
    }

    /// The same report, told as another kind.
    func asKind(_ kind: Kind) -> PostgresError {
        var error = PostgresError(kind, serverMessage, statement: statement)
        (error.sqlState, error.constraint, error.detail) = (sqlState, constraint, detail)
        return error
    }
}

extension Exchange.Failure {
    init(_ result: ResultHandle, index: Int, statement: String?) {
        let error = PostgresError(result, statement: statement)
        self.init(
            index: index, error: error,
            isFatal: result.severity == "FATAL" || result.severity == "PANIC", isStalePlan: false)
    }
}
