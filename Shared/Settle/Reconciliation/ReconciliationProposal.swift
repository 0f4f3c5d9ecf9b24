/// What a person may have done about a finding that no protocol mends.
public enum ReconciliationProposal: Codable, Sendable, Equatable {
    /// Lines are added to a book's ledger until the entry of `key` is `after`.
    case adjust(book: String, key: String, before: [LedgerLine], after: [LedgerLine])
    /// A balance is set to what its ledger says.
    case correct(book: String, BalanceDifference)
    /// What the application itself does: its own word for it, and what it needs to know.
    case own(action: String, key: String)

    private enum CodingKeys: CodingKey { case action, book, key, before, after, account, column, balance, ledger }

    /// An object whose `action` says what it is.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        switch try values.decode(String.self, forKey: .action) {
        case "adjust":
            self = .adjust(
                book: try values.decode(String.self, forKey: .book), key: try values.decode(String.self, forKey: .key),
                before: try values.decode([LedgerLine].self, forKey: .before),
                after: try values.decode([LedgerLine].self, forKey: .after))
        case "correct":
            self = .correct(book: try values.decode(String.self, forKey: .book), try BalanceDifference(from: decoder))
        case let action: self = .own(action: action, key: try values.decode(String.self, forKey: .key))
        }
    }

    /// An object whose `action` says what it is.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .adjust(let book, let key, let before, let after):
            try values.encode("adjust", forKey: .action)
            try values.encode(book, forKey: .book)
            try values.encode(key, forKey: .key)
            try values.encode(before, forKey: .before)
            try values.encode(after, forKey: .after)
        case .correct(let book, let difference):
            try values.encode("correct", forKey: .action)
            try values.encode(book, forKey: .book)
            try values.encode(difference.account, forKey: .account)
            try values.encode(difference.column, forKey: .column)
            try values.encode(difference.balance, forKey: .balance)
            try values.encode(difference.ledger, forKey: .ledger)
        case .own(let action, let key):
            try values.encode(action, forKey: .action)
            try values.encode(key, forKey: .key)
        }
    }
}
