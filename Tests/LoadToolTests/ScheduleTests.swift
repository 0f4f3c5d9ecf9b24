import Testing

@testable import SettleLoadTool

@Suite("Schedule")
struct ScheduleTests {
    @Test("a closed loop goes on at once until its time is over")
    func closed() {
        var schedule = Schedule(.closed(clients: 2), for: .seconds(1))
        #expect(schedule.take(at: .milliseconds(3)) == .milliseconds(3))
        #expect(schedule.take(at: .milliseconds(999)) == .milliseconds(999))
        #expect(schedule.take(at: .seconds(1)) == nil)
        #expect(schedule.due(at: .seconds(1)) == nil)
    }

    @Test("an open loop begins by the clock")
    func open() {
        var schedule = Schedule(.open(perSecond: 100), for: .milliseconds(30))
        #expect(schedule.take(at: .zero) == .zero)
        #expect(schedule.take(at: .milliseconds(9)) == nil)
        #expect(schedule.due(at: .milliseconds(9)) == .milliseconds(10))
        #expect(schedule.take(at: .milliseconds(10)) == .milliseconds(10))
    }

    @Test("what found nobody free keeps the time at which it was meant to begin, and none is left out")
    func late() {
        var schedule = Schedule(.open(perSecond: 100), for: .milliseconds(30))
        let starts = (0..<5).map { _ in schedule.take(at: .seconds(7)) }
        #expect(starts == [.zero, .milliseconds(10), .milliseconds(20), nil, nil])
    }

    @Test("no more than a number of requests begins")
    func limited() {
        var schedule = Schedule(.closed(clients: 2), for: .seconds(1), limit: 2)
        let starts = (0..<3).map { _ in schedule.take(at: .zero) }
        #expect(starts == [.zero, .zero, nil])
        #expect(schedule.due(at: .zero) == nil)
    }

    @Test("a rate that does not divide a second does not drift")
    func drift() {
        var schedule = Schedule(.open(perSecond: 3), for: .seconds(1_000))
        var last: Duration?
        for _ in 0..<3_000 { last = schedule.take(at: .seconds(2_000)) }
        #expect(last.map { $0 > .milliseconds(999_666) && $0 < .milliseconds(999_667) } == true)
        #expect(schedule.take(at: .seconds(2_000)) == nil)
    }
}
