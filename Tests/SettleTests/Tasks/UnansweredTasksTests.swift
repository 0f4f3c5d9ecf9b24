import Testing

@testable import Settle

@Suite("Unanswered tasks")
struct UnansweredTasksTests {
    private let start = ContinuousClock.now

    private func sending(_ ids: [Int64], leaseEnd seconds: Int = 5) -> UnansweredTasks {
        var tasks = UnansweredTasks()
        tasks.sending(ids.map { (TaskLease(id: $0, due: 7), start + .seconds(seconds)) })
        return tasks
    }

    @Test("shortly before the lease's end, those that the broker has are reported, once and in order")
    func confirmed() {
        var tasks = sending([3, 1, 2])
        tasks.confirmed(3)
        tasks.confirmed(1)
        #expect(tasks.takeEnding(before: start + .seconds(4), now: start + .seconds(2)).map(\.id) == [])
        #expect(tasks.count == 3)
        #expect(tasks.takeEnding(before: start + .seconds(5), now: start + .seconds(3)).map(\.id) == [1, 3])
        #expect(tasks.takeEnding(before: start + .seconds(6), now: start + .seconds(4)).map(\.id) == [])
    }

    @Test("a late confirm counts as long as the lease lasts, and no longer")
    func late() {
        var tasks = sending([1, 2])
        #expect(tasks.takeEnding(before: start + .seconds(6), now: start + .seconds(4)).map(\.id) == [])
        tasks.confirmed(1)
        #expect(tasks.takeEnding(before: start + .seconds(6), now: start + .seconds(4)).map(\.id) == [1])
        #expect(tasks.takeEnding(before: start + .seconds(7), now: start + .seconds(5)).map(\.id) == [])
        #expect(tasks.count == 0)
        tasks.confirmed(2)
        #expect(tasks.takeEnding(before: start + .seconds(9), now: start + .seconds(7)).map(\.id) == [])
    }

    @Test("an answer may overtake the confirm")
    func overtaken() {
        var tasks = sending([1, 2])
        tasks.forget([1])
        tasks.confirmed(1)
        tasks.confirmed(2)
        #expect(tasks.takeEnding(before: start + .seconds(5), now: start).map(\.id) == [2])
    }

    @Test("sent again, it must be confirmed again")
    func again() {
        var tasks = sending([1])
        tasks.confirmed(1)
        tasks.sending([(lease: TaskLease(id: 1, due: 8), leaseEnd: start + .seconds(9))])
        #expect(tasks.takeEnding(before: start + .seconds(10), now: start + .seconds(8)).map(\.id) == [])
        #expect(tasks.takeEnding(before: start + .seconds(11), now: start + .seconds(9)).map(\.id) == [])
        #expect(tasks.count == 0)
    }

    @Test("the broker's word on a task that nobody watches any more is nothing")
    func unknown() {
        var tasks = UnansweredTasks()
        tasks.confirmed(1)
        tasks.forget([2])
        #expect(tasks.count == 0)
    }
}
