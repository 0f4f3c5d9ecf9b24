import NIOCore
import Testing

@testable import SettleServiceKit

@Suite("HTTP: a connection's limits")
struct ConnectionStateTests {
    private typealias Expiry = ConnectionState.Expiry

    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    private static func at(_ seconds: Int64) -> NIODeadline { start + .seconds(seconds) }

    /// Limits that no two are alike: idle 70, head 10, body 30, write 20 seconds.
    private static func opened() -> ConnectionState {
        var limits = HTTPLimits()
        limits.idleTimeout = .seconds(70)
        limits.headTimeout = .seconds(10)
        limits.bodyTimeout = .seconds(30)
        limits.writeTimeout = .seconds(20)
        var state = ConnectionState(limits: limits)
        state.opened(at: start)
        return state
    }

    /// With a request that came as a whole at second 1.
    private static func answering(isLast: Bool = false) -> ConnectionState {
        var state = opened()
        state.received(at: at(1))
        state.headEnded(isLast: isLast, at: at(1))
        state.requestEnded()
        return state
    }

    private static func expect(
        _ state: ConnectionState, _ expiry: ConnectionState.Expiry, at seconds: Int64,
        location: SourceLocation = #_sourceLocation
    ) {
        var (before, then) = (state, state)
        #expect(state.deadline == at(seconds), sourceLocation: location)
        let early = before.expired(sent: 0, pending: 0, at: at(seconds) - .nanoseconds(1))
        #expect(early == .notYet, sourceLocation: location)
        let due = then.expired(sent: 0, pending: 0, at: at(seconds))
        #expect(due == expiry, sourceLocation: location)
    }

    @Test("nothing comes: closed")
    func idle() { Self.expect(Self.opened(), .close, at: 70) }

    @Test("a head that does not end is refused, however its bytes come")
    func head() {
        var state = Self.opened()
        state.received(at: Self.at(5))
        state.received(at: Self.at(14))
        Self.expect(state, .refuse, at: 15)
    }

    @Test("so is a body")
    func body() {
        var state = Self.opened()
        state.received(at: Self.at(5))
        state.headEnded(isLast: false, at: Self.at(6))
        state.received(at: Self.at(35))
        Self.expect(state, .refuse, at: 36)
    }

    @Test("an answer may take as long as it takes; then the connection is idle, or over")
    func answer() {
        var state = Self.answering()
        #expect(state.deadline == nil)
        let staysOpen = state.answerEnded(at: Self.at(500))
        #expect(staysOpen)
        Self.expect(state, .close, at: 570)
        var last = Self.answering(isLast: true)
        let lastStaysOpen = last.answerEnded(at: Self.at(500))
        #expect(!lastStaysOpen)
    }

    @Test("a client that takes nothing of its answer is not waited for; one that takes a little is")
    func stall() {
        var state = Self.answering()
        state.flushed(sent: 100, pending: 900, at: Self.at(40))
        // More is written, and it does not begin anew.
        state.flushed(sent: 100, pending: 1900, at: Self.at(50))
        #expect(state.deadline == Self.at(60))
        var stuck = state
        let untouched = stuck.expired(sent: 100, pending: 1900, at: Self.at(60))
        #expect(untouched == .close)
        let progressed = state.expired(sent: 101, pending: 1899, at: Self.at(60))
        #expect(progressed == .notYet)
        #expect(state.deadline == Self.at(80))
        let untouchedLater = state.expired(sent: 101, pending: 1899, at: Self.at(80))
        #expect(untouchedLater == .close)
    }

    @Test("between requests a client that still takes its answer is not idle until it has all")
    func slowReader() {
        var state = Self.answering()
        state.flushed(sent: 0, pending: 900, at: Self.at(2))
        _ = state.answerEnded(at: Self.at(2))
        for second in stride(from: 22, through: 202, by: 20) {
            let progressed = state.expired(sent: second, pending: 900 - second, at: Self.at(Int64(second)))
            #expect(progressed == .notYet)
        }
        let done = state.expired(sent: 900, pending: 0, at: Self.at(222))
        #expect(done == .notYet)
        Self.expect(state, .close, at: 292)
    }

    @Test("what all has taken at the next flush is no stall")
    func drained() {
        var state = Self.answering()
        state.flushed(sent: 0, pending: 900, at: Self.at(2))
        state.flushed(sent: 900, pending: 0, at: Self.at(3))
        #expect(state.deadline == nil)
    }

    @Test("after the last answer the client has a moment to end its side")
    func closing() {
        var state = Self.answering(isLast: true)
        _ = state.answerEnded(at: Self.at(3))
        state.finish()
        #expect(state.deadline == nil)
        state.outputClosed(at: Self.at(4))
        Self.expect(state, .close, at: 6)
    }

    @Test("a body of just 1 MiB is taken, one byte more is not, and the next request begins anew")
    func bodySize() {
        var state = Self.answering()
        for _ in 0..<2 {
            _ = state.answerEnded(at: Self.at(2))
            state.headEnded(isLast: false, at: Self.at(2))
            let half = state.received(bodyBytes: 1 << 19)
            let whole = state.received(bodyBytes: 1 << 19)
            var over = state
            let isOver = !over.received(bodyBytes: 1)
            #expect(half && whole && isOver)
            state.requestEnded()
        }
    }

    @Test("a service that stops closes what waits for a request, and finishes one that is here")
    func quiesce() {
        var idle = Self.opened()
        let closesIdle = idle.quiesce()
        #expect(closesIdle)
        var head = Self.opened()
        head.received(at: Self.at(1))
        let closesHead = head.quiesce()
        #expect(closesHead)
        var answering = Self.answering()
        let closesAnswering = answering.quiesce()
        #expect(!closesAnswering)
        #expect(answering.isLast)
        let staysOpen = answering.answerEnded(at: Self.at(2))
        #expect(!staysOpen)
    }
}
