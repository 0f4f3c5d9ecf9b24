import SettleCore
import Testing

@Suite("Again and again")
struct TaskEveryTests {
    @Test("at once, then after each pause, until it is cancelled", .timeLimit(.minutes(1)))
    func repeats() async {
        let (calls, called) = AsyncStream.makeStream(of: Int.self)
        let task = Task {
            var count = 0
            await Task.every(.milliseconds(1)) {
                count += 1
                called.yield(count)
            }
            called.finish()
        }
        var last = 0
        for await call in calls {
            #expect(call == last + 1)
            last = call
            if call == 3 { task.cancel() }
        }
        #expect(last >= 3)
    }

    @Test("cancellation ends a long pause, and nothing is done after it", .timeLimit(.minutes(1)))
    func cancelled() async {
        let (calls, called) = AsyncStream.makeStream(of: Void.self)
        let task = Task {
            var count = 0
            await Task.every(.seconds(3600)) {
                count += 1
                called.yield()
            }
            return count
        }
        for await _ in calls { break }
        task.cancel()
        #expect(await task.value == 1)
    }

    @Test("a task that is cancelled already does nothing")
    func late() async {
        let count = await withTaskGroup(of: Int.self) { group in
            group.cancelAll()
            group.addTask {
                var count = 0
                await Task.every(.zero) { count += 1 }
                return count
            }
            return await group.next()
        }
        #expect(count == 0)
    }
}
