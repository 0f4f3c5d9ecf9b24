extension OutboundMessage {
    /// The most bytes of UTF-8 in `exchange`, `routingKey` and `messageID`: short strings of AMQP 0-9-1.
    public static let maxNameBytes = 255
    /// The most bytes of UTF-8 in the name of a header; there must be one at least.
    public static let maxHeaderNameBytes = 128
    /// The most that all headers may take, by ``headerBytes(_:_:)``: all properties fit one frame then.
    public static let maxHeadersBytes = 3072

    /// What a header takes on its way.
    public static func headerBytes(_ name: String, _ value: String) -> Int { name.utf8.count + value.utf8.count + 6 }

    /// Why no broker could take it, or nil.
    func refusal(maxMessage: Int) -> PublishOutcome? {
        if body.count > maxMessage {
            return .returned(code: 311, text: "CONTENT_TOO_LARGE - \(body.count) bytes, \(maxMessage) are allowed")
        }
        for name in [exchange, routingKey, messageID] where name.utf8.count > Self.maxNameBytes {
            return .returned(code: 502, text: "SYNTAX_ERROR - a name is longer than \(Self.maxNameBytes) bytes")
        }
        for name in headers.keys where !(1...Self.maxHeaderNameBytes).contains(name.utf8.count) {
            return .returned(
                code: 502, text: "SYNTAX_ERROR - a header's name is not 1 to \(Self.maxHeaderNameBytes) bytes")
        }
        guard headers.reduce(0, { $0 + Self.headerBytes($1.key, $1.value) }) <= Self.maxHeadersBytes else {
            return .returned(
                code: 502, text: "SYNTAX_ERROR - the headers are longer than \(Self.maxHeadersBytes) bytes")
        }
        return nil
    }
}

extension PublishOutcome {
    /// Whether the message is one that no broker could ever take: to try it again is of no use.
    public var isImpossible: Bool {
        if case .returned(let code, _) = self { code == 311 || code == 502 } else { false }
    }
}
