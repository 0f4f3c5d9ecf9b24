import SettleCore

/// What made the broker close the publishing channel, and what may have.
///
/// A message to an exchange that does not exist, or that the user may not write to, closes the channel, and the
/// confirms of all that is on its way are lost with it. The broker does not say which message it was. So whatever may
/// have been it is sent alone the next time; if the channel closes again, it is known, and refused unsent for a while
/// that grows each time. Then it is tried alone again: somebody may have mended it.
///
/// A pure value; it holds at most `capacity` names of at most 255 bytes each, twice.
struct Quarantine {
    /// What to do with a message.
    enum Verdict: Equatable {
        case send
        /// Nothing else may be unconfirmed meanwhile.
        case sendAlone
        case refuse(PublishOutcome)
    }

    /// What the broker minds, told by its reply code.
    private enum Culprit: Hashable {
        /// 404: any message to it.
        case exchange(String)
        /// 403: an exchange, or (topic permissions) some of its keys.
        case destination(exchange: String, routingKey: String)
        /// Anything else, such as 406 for more bytes than the broker allows: this message alone.
        case message(exchange: String, id: String)

        init(_ code: Int, _ message: OutboundMessage) {
            switch code {
            case 404: self = .exchange(message.exchange)
            case 403: self = .destination(exchange: message.exchange, routingKey: message.routingKey)
            default: self = .message(exchange: message.exchange, id: message.messageID)
            }
        }

        static func all(of message: OutboundMessage) -> [Culprit] { [404, 403, 0].map { Culprit($0, message) } }
    }

    private struct Record {
        /// How often the channel closed on it while it was alone; 0 for a mere suspect.
        var failures = 0
        var outcome: PublishOutcome?
        var until: ContinuousClock.Instant?
    }

    /// Between tries of what is known to close the channel.
    static let backoff = Backoff(initial: .seconds(5), cap: .seconds(60), jitter: 0.2)
    /// Beyond it all is forgotten and found out anew.
    static let capacity = 4096

    private var records: [Culprit: Record] = [:]

    func verdict(for message: OutboundMessage, at now: ContinuousClock.Instant) -> Verdict {
        guard !records.isEmpty else { return .send }
        var verdict = Verdict.send
        for culprit in Culprit.all(of: message) {
            guard let record = records[culprit] else { continue }
            verdict = .sendAlone
            if let outcome = record.outcome, let until = record.until, now < until { return .refuse(outcome) }
        }
        return verdict
    }

    /// The channel was closed with `code` and any of `messages` may have been why.
    mutating func suspect(_ messages: some Sequence<OutboundMessage>, code: Int) {
        for message in messages {
            let culprit = Culprit(code, message)
            if records[culprit] == nil { insert(Record(), for: culprit) }
        }
    }

    /// The channel was closed while `message` was alone on it; returns what it came to.
    mutating func convict(
        _ message: OutboundMessage, code: Int, text: String, at now: ContinuousClock.Instant
    ) -> PublishOutcome {
        let culprit = Culprit(code, message)
        let failures = (records[culprit]?.failures ?? 0) + 1
        let outcome = PublishOutcome.returned(code: code, text: text)
        let until = now + Self.backoff.delay(attempt: failures)
        insert(Record(failures: failures, outcome: outcome, until: until), for: culprit)
        return outcome
    }

    /// The broker answered `message` and the channel lives.
    mutating func acquit(_ message: OutboundMessage) {
        for culprit in Culprit.all(of: message) { records[culprit] = nil }
    }

    private mutating func insert(_ record: Record, for culprit: Culprit) {
        if records.count >= Self.capacity, records[culprit] == nil { records = [:] }
        records[culprit] = record
    }
}
