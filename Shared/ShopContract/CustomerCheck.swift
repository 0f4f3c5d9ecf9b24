/// What order asks user-points at `POST /customers/verify`: whether these tokens are those of their users.
public struct CustomerCheck: Codable, Sendable {
    /// How many may be asked about at once.
    public static let limit = 64

    /// From 1 to ``limit``.
    public let customers: [CustomerToken]

    /// A question about `customers`.
    public init(customers: [CustomerToken]) {
        self.customers = customers
    }
}

/// Who somebody says to be, and the token that shall prove it.
public struct CustomerToken: Codable, Sendable {
    /// Which user.
    public let userName: String
    /// As it came with the request.
    public let token: String

    /// A claim to be `userName`.
    public init(userName: String, token: String) {
        self.userName = userName
        self.token = token
    }
}

/// What user-points answers.
public struct CustomerVerdict: Codable, Sendable {
    /// One for each that was asked about, in that order. False also where nobody knows such a user.
    public let valid: [Bool]

    /// An answer.
    public init(valid: [Bool]) {
        self.valid = valid
    }
}
