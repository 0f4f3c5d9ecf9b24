import CSettleLibpq
import Foundation

/// Owns one `PGresult`.
///
/// `@unchecked Sendable`: once it is complete libpq only reads it (PQgetvalue and its kin are pure reads of memory
/// that PQclear alone frees), so any thread may read it, and `deinit` runs when nobody does any more.
@safe
final class ResultHandle: @unchecked Sendable {
    private let result: OpaquePointer

    /// Takes ownership.
    init(_ result: OpaquePointer) {
        unsafe self.result = result
    }

    deinit {
        unsafe PQclear(result)
    }

    var status: ExecStatusType { unsafe PQresultStatus(result) }
    var rowCount: Int { unsafe Int(PQntuples(result)) }
    var columnCount: Int { unsafe Int(PQnfields(result)) }

    /// `INSERT 0 3`, `COMMIT`, …
    var commandTag: String { unsafe String(cString: PQcmdStatus(result)) }
    /// The number of rows the command wrote, or read.
    var affected: Int { unsafe Int(String(cString: PQcmdTuples(result))) ?? 0 }

    /// About how many bytes a row has.
    var rowSize: Int { unsafe PQresultMemorySize(result) / max(1, rowCount) }

    func columnName(_ column: Int) -> String {
        unsafe PQfname(result, Int32(column)).map { unsafe String(cString: $0) } ?? ""
    }

    /// The column of that name (upper and lower case are different), or `nil`.
    func column(named name: String) -> Int? {
        unsafe name.withCString { wanted in
            for column in 0..<Int32(columnCount) {
                if let found = unsafe PQfname(result, column), unsafe strcmp(found, wanted) == 0 {
                    return Int(column)
                }
            }
            return nil
        }
    }

    /// The type's OID in `pg_type`.
    func type(column: Int) -> UInt32 { unsafe PQftype(result, Int32(column)) }

    /// Lends the text of one value, or `nil` for NULL; row and column must exist.
    func withText<R>(row: Int, column: Int, _ body: (UnsafeRawBufferPointer?) throws -> R) rethrows -> R {
        let (row, column) = (Int32(row), Int32(column))
        guard unsafe PQgetisnull(result, row, column) == 0 else { return try body(nil) }
        // Safe: `self`, which the caller holds, keeps the memory for the time of the call.
        let length = unsafe Int(PQgetlength(result, row, column))
        return unsafe try body(UnsafeRawBufferPointer(start: PQgetvalue(result, row, column), count: length))
    }

    var errorMessage: String { unsafe String(cString: PQresultErrorMessage(result)).onOneLine }

    /// The code of the server's error; `nil` when the error is libpq's own.
    var sqlState: String? { errorField("C") }
    /// The main line of the server's error.
    var primaryMessage: String? { errorField("M") }
    var detail: String? { errorField("D") }
    var constraint: String? { errorField("n") }
    /// ERROR, FATAL or PANIC.
    var severity: String? { errorField("V") }
    /// The server's own function that raised the error.
    var sourceFunction: String? { errorField("R") }
    /// The prepared plan was dropped (26000), or its result would have other columns by now (RevalidateCachedQuery).
    var isStalePlan: Bool { sqlState == "26000" || sourceFunction == "RevalidateCachedQuery" }

    /// One field of the server's error report (PostgreSQL documentation, 55.8).
    private func errorField(_ code: Unicode.Scalar) -> String? {
        unsafe PQresultErrorField(result, Int32(code.value)).map { unsafe String(cString: $0) }
    }
}

extension String {
    /// libpq's messages span lines and end with one.
    var onOneLine: String {
        split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: "; ")
    }
}
