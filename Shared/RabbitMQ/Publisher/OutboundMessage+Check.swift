extension OutboundMessage {
    /// Why no broker could take it, or nil.
    ///
    /// Short strings of AMQP 0-9-1 hold 255 bytes, and the names of headers 128; all properties fit one frame.
    func refusal(maxMessage: Int) -> PublishOutcome? {
        if body.count > maxMessage {
            return .returned(code: 311, text: "CONTENT_TOO_LARGE - \(body.count) bytes, \(maxMessage) are allowed")
        }
        for name in [exchange, routingKey, messageID] where name.utf8.count > 255 {
            return .returned(code: 502, text: "SYNTAX_ERROR - a name is longer than 255 bytes")
        }
        var size = 0
        for (name, value) in headers {
            guard (1...128).contains(name.utf8.count) else {
                return .returned(code: 502, text: "SYNTAX_ERROR - a header's name is not 1 to 128 bytes")
            }
            size += name.utf8.count + value.utf8.count + 6
        }
        guard size <= 3072 else {
            return .returned(code: 502, text: "SYNTAX_ERROR - the headers are longer than 3072 bytes")
        }
        return nil
    }
}
