public import SettleCore
public import SettlePostgres

/// What an application knows that compares its books with others': which of its keys are over, what a difference is called,
/// and what of its own protocol mends it.
public protocol ReconciledBusiness: Sendable {
    /// Cuts the keys after `after` and before `before` into ranges of some hundreds each.
    ///
    /// - Returns: the keys at which to cut, in order: at most ``ReconciliationSettings/maxRanges``, and fewer only at the end
    ///   of the keys; and how many keys there are up to the last cut, or to the end.
    func bounds(after: String, before: String) async throws -> (bounds: [String], keys: Int)

    /// What is known of these keys; nothing of those that nobody knows.
    func states(of keys: [String]) async throws -> [ByteKey: BusinessState]

    /// What a difference is called, how it reads, and whether `mend` has something for such; nil where it is none after all.
    func describe(_ difference: BookDifference) -> (kind: String, detail: String, isMendable: Bool)?

    /// Adds to `transaction` what the protocol has for these differences (a task again, most often), where that is still
    /// right: what has changed meanwhile is left alone.
    ///
    /// - Returns: what was done about each, by its index; nothing for those that it cannot mend.
    func mend(_ differences: [BookDifference], in transaction: borrowing PostgresTransaction) throws -> [Int: String]

    /// What is wrong beside the books, of what is older than the settling time. What is told is told by two looks, some time
    /// apart, so it need not be right the first time.
    ///
    /// - Parameter before: a key that comes after all that is old enough.
    func strays(before: String) async throws -> [BusinessStray]

    /// The same as `mend` for these.
    func mend(_ strays: [BusinessStray], in transaction: borrowing PostgresTransaction) throws -> [Int: String]

    /// Does what a person has decided on: one of the proposals that `strays` made.
    ///
    /// - Returns: whether it still was to be done.
    func apply(_ action: String, key: String, reason: String) async throws -> Bool
}

/// How far the business under a key is.
public struct BusinessState: Sendable, Equatable {
    /// The application's word for it.
    public let name: String
    /// Whether all books should hold what they will hold; else they are not compared.
    public let isFinal: Bool

    /// A state.
    public init(name: String, isFinal: Bool) {
        self.name = name
        self.isFinal = isFinal
    }
}

/// A difference between what is expected and what a book holds.
public struct BookDifference: Sendable {
    /// The book's name.
    public let book: String
    /// Whose entry, and how it differs.
    public let difference: LedgerComparer.Difference
    /// What is known of the key; nil for one that nobody knows.
    public let state: BusinessState?

    /// A difference.
    public init(book: String, difference: LedgerComparer.Difference, state: BusinessState?) {
        self.book = book
        self.difference = difference
        self.state = state
    }
}

/// Something that is wrong beside the books: an order that does not go on, a task of nobody's.
public struct BusinessStray: Sendable, Hashable {
    /// What sort of thing.
    public let kind: String
    /// Whose.
    public let key: String
    /// Whether `key` is a business key.
    public let isBusinessKey: Bool
    /// For a person.
    public let detail: String
    /// What a person may have done about it, in the application's own word, where nothing mends it.
    public let action: String?

    /// One.
    public init(kind: String, key: String, isBusinessKey: Bool = true, detail: String, action: String? = nil) {
        self.kind = kind
        self.key = key
        self.isBusinessKey = isBusinessKey
        self.detail = detail
        self.action = action
    }
}

/// A book, and what it is expected to hold.
public struct ReconciledBook: Sendable {
    /// What it is called in findings.
    public let name: String
    /// The book.
    public let book: any LedgerBook
    /// What it is expected to hold, in the application's own database.
    public let expected: any LedgerBook

    /// A book.
    public init(_ name: String, _ book: any LedgerBook, expected: any LedgerBook) {
        self.name = name
        self.book = book
        self.expected = expected
    }
}
