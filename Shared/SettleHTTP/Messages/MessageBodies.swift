package import SettleServiceKit

/// `POST /prepare` at the centre: messages to be kept.
package struct PrepareRequest: Codable, Sendable {
    package let messages: [WireMessage]
}

/// One of them, as its producer wants it sent.
package struct WireMessage: Codable, Sendable {
    package let id: String
    package let msg: String
    package let routingKey: String
    package let exchange: String
    /// Given back when the centre checks back; an object.
    package let paramMap: JSONValue?
    /// Who is asked whether the business is done: a name.
    package let artist: String
    /// Published with the message.
    package let headers: [String: String]?
    /// Whether `artist` is told what the consumer said.
    package let wantsOutcome: Bool?
}

/// What the centre makes of one.
package enum Preparation: String, Codable, Sendable {
    /// It is kept.
    case prepared
    /// It was kept before.
    case known
    /// It was kept before with another content, which stays.
    case differs
}

/// `POST /confirm` at the centre: the business of these is done.
package struct ConfirmRequest: Codable, Sendable {
    package let ids: [String]
    package let caller: String?
}

/// `POST /ack` at the centre: these were consumed.
package struct AcknowledgeRequest: Codable, Sendable {
    package let acks: [WireAcknowledgement]
}

/// One of them.
package struct WireAcknowledgement: Codable, Sendable {
    package let id: String
    package let artist: String?
    /// `finished`, which counts where nothing is said, or `rejected`.
    package let status: String?
    package let errormsg: String?

    package init(id: String, artist: String?, status: String?, errormsg: String?) {
        self.id = id
        self.artist = artist
        self.status = status
        self.errormsg = errormsg
    }
}

/// `POST /messages/check` at the producer: is the business of these done?
package struct CheckRequest: Codable, Sendable {
    package let messages: [CheckedMessage]

    package init(messages: [CheckedMessage]) { self.messages = messages }
}

/// One of them, with what its producer gave along.
package struct CheckedMessage: Codable, Sendable {
    package let id: String
    package let paramMap: JSONValue?

    package init(id: String, paramMap: JSONValue?) {
        self.id = id
        self.paramMap = paramMap
    }
}

/// `POST /messages/outcomes` at the producer: what the consumers of these said.
package struct OutcomesRequest: Codable, Sendable {
    package let outcomes: [WireOutcome]

    package init(outcomes: [WireOutcome]) { self.outcomes = outcomes }
}

/// One of them.
package struct WireOutcome: Codable, Sendable {
    package let id: String
    /// `finished` or `rejected`.
    package let status: String
    package let errormsg: String?

    package init(id: String, status: String, errormsg: String?) {
        self.id = id
        self.status = status
        self.errormsg = errormsg
    }
}

/// What each of these answers: a word for each id.
package struct MessageResults<Word: Codable & Sendable>: Codable, Sendable {
    package let results: [String: Word]

    package init(results: [String: Word]) { self.results = results }
}
