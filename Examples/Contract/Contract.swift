import Settle

/// A mail that is to be sent, once.
public struct Mail: Codable, Sendable {
    public let id: String
    public let to: String
    public let text: String

    public init(id: String, to: String, text: String) {
        self.id = id
        self.to = to
        self.text = text
    }
}

/// What the mailer says when it has sent one.
public struct Sent: Codable, Sendable {
    public let number: Int

    public init(number: Int) { self.number = number }
}

/// shop → mailer.
public let sendMail = TaskType("sendmail", in: "shop", body: Mail.self, answer: Sent.self)

/// newsletter → mailer. A type has one sender, who gets all the answers: so this is another one, in another namespace.
public let sendIssue = TaskType("sendmail", in: "newsletter", body: Mail.self, answer: Sent.self)

/// What the wallet is asked to take, as a part of a global transaction.
public struct Charge: Codable, Sendable {
    public let owner: String
    public let amount: Int

    public init(owner: String, amount: Int) {
        self.owner = owner
        self.amount = amount
    }
}

/// What the wallet answers.
public struct Balance: Codable, Sendable {
    public let left: Int

    public init(left: Int) { self.left = left }
}
