public import SettlePostgres

extension PostgresTransaction {
    /// To be called before a request is refused because of rows of an enrolled table: another transaction in mode `at` may
    /// have changed them and be rolled back yet. One statement; nothing is to be asked where nothing is refused.
    ///
    /// Both questions see the same moment: whether a row is held, and whether the request could be served. Needs
    /// `SettleSchema.at`.
    /// - Parameters:
    ///   - table: the table, as SQL writes its name.
    ///   - keys: the values of its primary key, which has one column, that the refusal rests on.
    ///   - sql: a query that finds a row where the request can be served.
    ///   - parameters: those of `sql`.
    /// - Throws: when the refusal would be premature: a `PostgresError` that `isRowHeld`, or `RowsChanged`. A participant
    ///   then waits for the row, and tries the request again.
    public func checkRefusal(
        _ table: String, keys: [String], unless sql: String, _ parameters: [PostgresValue]
    ) throws {
        let next = parameters.count + 1
        let rows = try query(
            "SELECT EXISTS (\(sql)) FROM settle.at_check($\(next)::text::regclass, $\(next + 1)::text[])",
            parameters + [.text(table), .texts(keys)])
        if try rows.first?.decode(Bool.self, at: 0) ?? false { throw RowsChanged() }
    }
}

/// What a request would have been refused for has changed meanwhile: it is to be tried again.
public struct RowsChanged: Error {
    /// It has.
    public init() {}
}
