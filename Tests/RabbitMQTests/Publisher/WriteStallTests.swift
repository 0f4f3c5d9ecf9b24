import Testing

@testable import SettleRabbitMQ

@Suite struct WriteStallTests {
    private let start = ContinuousClock.now

    @Test func aSocketThatTakesNothingForTooLongIsStalled() {
        var stall = WriteStall()
        #expect(stall.refused(at: start, patience: .seconds(20)) == false)
        #expect(stall.deadline == start + .seconds(20))
        #expect(stall.refused(at: start + .seconds(19), patience: .seconds(20)) == false)
        #expect(stall.refused(at: start + .seconds(20), patience: .seconds(20)) == true)
    }

    @Test func theTimeInWhichNothingWaitedDoesNotCount() {
        var stall = WriteStall()
        #expect(stall.refused(at: start, patience: .seconds(20)) == false)
        // The messages that waited were given up.
        stall.end()
        #expect(stall.deadline == nil)
        #expect(stall.refused(at: start + .seconds(60), patience: .seconds(20)) == false)
        #expect(stall.deadline == start + .seconds(80))
    }
}
