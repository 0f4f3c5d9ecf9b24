import Testing

@testable import SettlePostgres

/// Three statements, of which the last is COMMIT unless a test says otherwise.
@Suite("What became of an exchange")
struct ExchangeTests {
    private func exchange(
        failedAt index: Int? = nil, isFatal: Bool = false, isStalePlan: Bool = false, isLost: Bool = false,
        wasSent: Bool = true
    ) -> Exchange {
        var exchange = Exchange(results: [nil, nil, nil])
        exchange.wasSent = wasSent
        exchange.loss = isLost ? "closed" : nil
        exchange.failure = index.map {
            Exchange.Failure(
                index: $0, error: PostgresError(.server, "refused"), isFatal: isFatal, isStalePlan: isStalePlan)
        }
        return exchange
    }

    @Test("nothing went wrong")
    func fine() {
        #expect(exchange().error(commitPoint: 2) == nil && !exchange().mayBeRepeated(commitPoint: 2))
    }

    @Test("the server's refusal stays one, also when the connection is lost behind it", arguments: [true, false])
    func refused(isLost: Bool) {
        let refused = exchange(failedAt: 1, isLost: isLost)
        #expect(refused.error(commitPoint: 2)?.kind == .server)
        #expect(!refused.mayBeRepeated(commitPoint: 2))
        let atCommit = exchange(failedAt: 2, isLost: isLost)
        #expect(atCommit.error(commitPoint: 2)?.kind == .server)
    }

    @Test("lost with COMMIT sent: unknown, and never repeated")
    func unknown() {
        let lost = exchange(isLost: true)
        #expect(lost.error(commitPoint: 2)?.kind == .commitUnknown)
        #expect(!lost.mayBeRepeated(commitPoint: 2))
    }

    @Test("lost without COMMIT, or before anything was sent: nothing done")
    func undone() {
        #expect(exchange(isLost: true).error(commitPoint: nil)?.kind == .connectionLost)
        #expect(exchange(isLost: true).mayBeRepeated(commitPoint: nil))
        let unsent = exchange(isLost: true, wasSent: false)
        #expect(unsent.error(commitPoint: 2)?.kind == .connectionLost)
        #expect(unsent.mayBeRepeated(commitPoint: 2))
    }

    @Test("ended by the server: done or not by where it said so", arguments: 0..<3)
    func fatal(index: Int) {
        let ended = exchange(failedAt: index, isFatal: true, isLost: true)
        #expect(ended.error(commitPoint: 2)?.kind == (index < 2 ? .connectionLost : .commitUnknown))
        #expect(ended.mayBeRepeated(commitPoint: 2) == (index < 2))
        // An implicit transaction is made last by the sync, behind the third statement.
        #expect(ended.error(commitPoint: 3)?.kind == .connectionLost)
    }

    @Test("a stale plan is worth another try")
    func stalePlan() {
        #expect(exchange(failedAt: 1, isStalePlan: true).mayBeRepeated(commitPoint: 2))
    }
}
