import Synchronization

/// Whether orders can be written, by what became of the last ones: the database may be up and a table locked.
final class WriteHealth: Sendable {
    private let record = Mutex(WriteRecord())

    /// For readiness.
    var isWell: Bool { record.withLock { $0.isWell(at: .now) } }

    /// Runs `write` and remembers whether it threw.
    func noting<Result>(_ write: () async throws -> Result) async throws -> Result {
        do {
            let result = try await write()
            record.withLock { $0.succeeded() }
            return result
        } catch {
            record.withLock { $0.failed(at: .now) }
            throw error
        }
    }
}

/// Writes have failed for a while, and none has succeeded since. Pure.
struct WriteRecord: Sendable {
    /// For so long one failure may be an accident.
    static let patience: Duration = .seconds(2)
    /// After so long without a failure another try is worth it: an unready service is asked for nothing.
    static let memory: Duration = .seconds(10)

    private var failing: (since: ContinuousClock.Instant, last: ContinuousClock.Instant)?

    mutating func succeeded() { failing = nil }

    mutating func failed(at now: ContinuousClock.Instant) {
        // A failure long ago and one now are two accidents.
        let since = failing.flatMap { now - $0.last < Self.memory ? $0.since : nil } ?? now
        failing = (since, now)
    }

    func isWell(at now: ContinuousClock.Instant) -> Bool {
        guard let failing else { return true }
        return failing.last - failing.since < Self.patience || now - failing.last >= Self.memory
    }
}
