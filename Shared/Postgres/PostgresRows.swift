/// What one statement returned. The values stay where libpq read them to and are decoded when asked for.
public struct PostgresRows: Sendable {
    let result: ResultHandle

    /// How many rows the statement inserted, updated, deleted or returned.
    public var affected: Int { result.affected }

    /// The names of the columns, in order.
    public var columns: [String] { (0..<result.columnCount).map(result.columnName) }
}

extension PostgresRows: RandomAccessCollection {
    /// Zero.
    public var startIndex: Int { 0 }
    /// The number of rows.
    public var endIndex: Int { result.rowCount }

    /// The row at `position`.
    public subscript(position: Int) -> PostgresRow {
        precondition(indices.contains(position), "row \(position) of \(count)")
        return PostgresRow(result: result, index: position)
    }
}

/// One row of a result.
public struct PostgresRow: Sendable {
    let result: ResultHandle
    let index: Int

    /// The value of a column as `type`; for a column that may be NULL ask for an `Optional`.
    ///
    /// - Throws: `PostgresError` of kind `.decoding` when there is no such column, it is NULL or its text is not a
    ///   `type`.
    public func decode<T: PostgresDecodable>(_ type: T.Type = T.self, _ column: String) throws -> T {
        guard let number = result.column(named: column) else {
            throw PostgresError(.decoding, "there is no column \(column)")
        }
        return try decode(type, at: number)
    }

    /// The value of the column at `index`, counted from 0; cheaper than by name, for statements that name their columns.
    ///
    /// - Throws: as by name.
    public func decode<T: PostgresDecodable>(_ type: T.Type = T.self, at index: Int) throws -> T {
        guard (0..<result.columnCount).contains(index) else {
            throw PostgresError(.decoding, "there is no column \(index)")
        }
        let value = unsafe result.withText(row: self.index, column: index) { text in
            unsafe T.decode(text, type: result.type(column: index))
        }
        guard let value else {
            throw PostgresError(.decoding, "column \(result.columnName(index)) does not hold a \(T.self)")
        }
        return value
    }
}
