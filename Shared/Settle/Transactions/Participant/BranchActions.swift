public import SettlePostgres

/// A part of a global transaction that is plain SQL: for the modes `at` and `xa`, which can undo it by themselves.
public protocol LocalAction: Sendable {
    /// What is asked for.
    associatedtype Request: Codable & Sendable
    /// What is answered.
    associatedtype Answer: Codable & Sendable

    /// Does it, inside `transaction`. Throws `BranchRefusal` when the business says no; nothing stays then. Before it says
    /// so because of rows of enrolled tables, it asks `PostgresTransaction.checkRefusal`.
    ///
    /// In `at` the parts of several global transactions may be done one after the other in one local transaction, so what it
    /// sets for a transaction (`SET LOCAL`, temporary tables dropped on commit) must not be in the next one's way.
    func perform(_ request: Request, in transaction: borrowing PostgresTransaction) throws -> Answer

    /// The enrolled rows that it will change, as far as the request says which. A hint, none by default: a request whose
    /// row others wait for already stands in line behind them, and is not tried in vain before.
    func rows(of request: Request) -> [EnrolledRow]
}

extension LocalAction {
    /// None are known beforehand.
    public func rows(of request: Request) -> [EnrolledRow] { [] }
}

/// A row of a table that is enrolled for mode `at`, by its primary key of one column of text.
public struct EnrolledRow: Sendable, Hashable {
    /// As `settle.at_refuse` writes it.
    let label: String

    /// - Parameters:
    ///   - table: its name.
    ///   - column: the name of the key.
    ///   - key: the row's.
    ///   - schema: where the table is.
    public init(_ table: String, _ column: String, _ key: String, schema: String = "public") {
        label = #"\#(schema).\#(table) {\#(Self.quoted(column)): \#(Self.quoted(key))}"#
    }

    /// A text as `jsonb` prints it. Control characters are not worth the trouble: such a row has no label that fits.
    private static func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}

/// A part that is reserved first: all three are required, so a try without a cancel does not compile.
public protocol TCCAction: Sendable {
    /// What is asked for.
    associatedtype Request: Codable & Sendable
    /// What is answered.
    associatedtype Answer: Codable & Sendable

    /// Reserves. Throws `BranchRefusal` when the business says no; nothing stays then.
    func `try`(_ request: Request, in transaction: borrowing PostgresTransaction) throws -> Answer
    /// Turns what was reserved for `requests` into the final change. Must succeed whenever `try` has.
    func confirm(_ requests: [Request], in transaction: borrowing PostgresTransaction) throws
    /// Gives back what was reserved for `requests`. Must succeed whenever `try` has.
    func cancel(_ requests: [Request], in transaction: borrowing PostgresTransaction) throws
}

/// A part that takes effect at once, with the action that undoes it: one without the other does not compile.
public protocol SagaAction: Sendable {
    /// What is asked for.
    associatedtype Request: Codable & Sendable
    /// What is answered.
    associatedtype Answer: Codable & Sendable

    /// Does it. Throws `BranchRefusal` when the business says no; nothing stays then.
    func perform(_ request: Request, in transaction: borrowing PostgresTransaction) throws -> Answer
    /// Undoes what was done for `requests`. Must succeed whenever `perform` has.
    func compensate(_ requests: [Request], in transaction: borrowing PostgresTransaction) throws
}

/// A part that is reserved first, of several global transactions in one local transaction.
public protocol TCCGroupAction: TCCAction {
    /// Reserves for those of `requests` for which it can be done now, as one `try` after the other would.
    ///
    /// - Returns: for each request, in order, its answer; nil for one that nothing was done for. That one is tried alone,
    ///   so a refusal, and what it asks before it, is written once.
    func `try`(_ requests: [Request], in transaction: borrowing PostgresTransaction) throws -> [Answer?]
}

/// A part that takes effect at once, of several global transactions in one local transaction.
public protocol SagaGroupAction: SagaAction {
    /// Does those of `requests` that can be done now, as one `perform` after the other would.
    ///
    /// - Returns: for each request, in order, its answer; nil for one that nothing was done for. That one is done, or
    ///   refused, alone.
    func perform(_ requests: [Request], in transaction: borrowing PostgresTransaction) throws -> [Answer?]
}

/// The business says no.
public struct BranchRefusal: Error, Sendable, Equatable {
    /// For programs: `insufficient-stock`.
    public let code: String
    /// For people.
    public let detail: String

    /// - Parameters:
    ///   - code: for programs.
    ///   - detail: for people.
    public init(code: String, detail: String) {
        self.code = code
        self.detail = detail
    }
}
