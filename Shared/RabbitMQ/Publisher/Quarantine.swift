/// Exchanges that were found missing a moment ago.
///
/// A message to an exchange that does not exist closes the channel, and everything on its way is lost with it. While
/// one is remembered here its messages are returned unsent, so that they do no such thing to their neighbours again.
struct MissingExchanges {
    /// After this it is tried anew: somebody may have declared it.
    static let memory: Duration = .seconds(10)

    private var forgetAt: [String: ContinuousClock.Instant] = [:]

    mutating func add(_ exchange: String, at now: ContinuousClock.Instant) {
        forgetAt[exchange] = now + Self.memory
    }

    /// What a message to `exchange` comes to, or nil if it may be sent.
    mutating func outcome(for exchange: String, at now: ContinuousClock.Instant) -> PublishOutcome? {
        guard !forgetAt.isEmpty, let until = forgetAt[exchange] else { return nil }
        guard now < until else {
            forgetAt[exchange] = nil
            return nil
        }
        return .returned(code: 404, text: "NOT_FOUND - no exchange '\(exchange)'")
    }
}
