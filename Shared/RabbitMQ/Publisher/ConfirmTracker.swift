import DequeModule

/// Which published messages still wait for their confirm, and what each answer settles.
///
/// Tags count from 1 per channel, as the broker counts them ("Consumer Acknowledgements and Publisher Confirms" in
/// RabbitMQ's documentation). A pure value: it returns what is settled, whoever calls it does the rest.
struct ConfirmTracker<Token> {
    /// A message and its fate.
    typealias Settled = (token: Token, outcome: PublishOutcome)

    private struct Entry {
        /// Nil once settled.
        var token: Token?
        var sentAt: ContinuousClock.Instant
        var returned: PublishOutcome?
    }

    /// In the order of tags; the first is not settled.
    private var entries = Deque<Entry>()
    /// The tag of the first entry.
    private var firstTag: UInt64 = 1

    /// How many messages wait.
    private(set) var count = 0

    /// When the one that waits longest was sent.
    var oldest: ContinuousClock.Instant? { entries.first?.sentAt }

    /// A message was sent: it has the next tag.
    mutating func sent(_ token: Token, at now: ContinuousClock.Instant) {
        entries.append(Entry(token: token, sentAt: now))
        count += 1
    }

    /// The broker returned a message; its confirm follows. Of several that match it is the oldest that is not returned
    /// yet: returns come in the order of publishing.
    mutating func returned(code: Int, text: String, matching isIt: (Token) -> Bool) {
        let offset = (0..<entries.count).first { offset in
            let entry = entries[offset]
            return entry.returned == nil && entry.token.map(isIt) ?? false
        }
        guard let offset else { return }
        entries[offset].returned = .returned(code: code, text: text)
    }

    /// The broker took the message with `tag`, or all up to it.
    mutating func acked(_ tag: UInt64, multiple: Bool) -> [Settled] {
        settle(tag, multiple) { $0.returned ?? .confirmed }
    }

    /// The broker refused the message with `tag`, or all up to it.
    mutating func nacked(_ tag: UInt64, multiple: Bool) -> [Settled] {
        settle(tag, multiple) { $0.returned ?? .nacked }
    }

    /// Gives up those sent at `limit` or before; a confirm that comes later is ignored.
    mutating func expired(sentBy limit: ContinuousClock.Instant, reason: String) -> [Settled] {
        let late = (0..<entries.count).prefix { entries[$0].sentAt <= limit }.count
        return settle(firstTag + UInt64(late) - 1, true) { $0.returned ?? .lost(reason: reason) }
    }

    /// The channel is gone: so is every confirm. Tags start from 1 again.
    mutating func lost(reason: String) -> [Settled] {
        defer { self = ConfirmTracker() }
        return settle(firstTag + UInt64(entries.count) - 1, true) { $0.returned ?? .lost(reason: reason) }
    }

    private mutating func settle(_ tag: UInt64, _ multiple: Bool, _ outcome: (Entry) -> PublishOutcome) -> [Settled] {
        // Tag 0 with multiple would mean all, but the broker does not send it; a tag from before is settled already.
        guard tag >= firstTag, tag - firstTag < UInt64(entries.count) else { return [] }
        let last = Int(tag - firstTag)
        var settled: [Settled] = []
        for offset in (multiple ? 0 : last)...last {
            guard let token = entries[offset].token else { continue }
            settled.append((token, outcome(entries[offset])))
            entries[offset].token = nil
        }
        count -= settled.count
        dropSettled()
        return settled
    }

    private mutating func dropSettled() {
        let done = (0..<entries.count).prefix { entries[$0].token == nil }.count
        entries.removeFirst(done)
        firstTag += UInt64(done)
    }
}
