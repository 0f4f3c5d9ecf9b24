import Testing

@testable import SettleCore

@Suite("Wake-ups and slots", .timeLimit(.minutes(1)))
struct SlotsTests {
    @Test("a call is not lost, whether it comes before the wait, in it, or after its end")
    func wakeup() async {
        let wakeup = Wakeup()
        wakeup.call()
        var isCalled = await wakeup.wait(atMost: .seconds(60))
        #expect(isCalled)
        isCalled = await wakeup.wait(atMost: .milliseconds(5))
        #expect(!isCalled, "one call, one wait")
        async let waiting = wakeup.wait(atMost: .seconds(60))
        wakeup.call()
        isCalled = await waiting
        #expect(isCalled)
        let cancelled = Task { await wakeup.wait(atMost: .seconds(60)) }
        cancelled.cancel()
        isCalled = await cancelled.value
        #expect(!isCalled)
    }

    @Test("short, zero and negative limits end their own wait, always, and no other")
    func shortLimits() async {
        // Where a timer that fires before its waiter is there were forgotten, one of these would wait for ever.
        await withTaskGroup { group in
            for lane in 0..<8 {
                group.addTask {
                    let wakeup = Wakeup()
                    for turn in 0..<2_500 {
                        let limit = [
                            Duration.zero, .nanoseconds(1), .nanoseconds(turn), .seconds(-1), .microseconds(lane),
                        ]
                        let isCalled = await wakeup.wait(atMost: limit[turn % 5])
                        #expect(!isCalled)
                    }
                }
            }
        }
    }

    @Test("a timer that is late for its own wait does not end the next one")
    func lateTimer() async {
        let wakeup = Wakeup()
        for turn in 0..<400 {
            // Called about when its time is over, so that the timer often comes after the end of its wait.
            let caller = Task { wakeup.call() }
            await wakeup.wait(atMost: .microseconds(turn))
            await caller.value
            // The call may have come after that wait, too.
            await wakeup.wait(atMost: .zero)
            let next = Task { await wakeup.wait(atMost: .seconds(60)) }
            for _ in 0..<20 { await Task.yield() }
            wakeup.call()
            let isCalled = await next.value
            #expect(isCalled, "ended by something else than its call")
        }
    }

    @Test("a zero limit looks whether there was a call")
    func look() async {
        let wakeup = Wakeup()
        wakeup.call()
        var isCalled = await wakeup.wait(atMost: .zero)
        #expect(isCalled)
        isCalled = await wakeup.wait(atMost: .seconds(-5))
        #expect(!isCalled)
    }

    @Test("slots are given in turn, and one that is called as its time ends is not lost")
    func slots() async {
        let slots = Slots(2)
        var isTaken = await slots.take(within: .zero)
        #expect(isTaken)
        isTaken = await slots.take(within: .zero)
        #expect(isTaken)
        isTaken = await slots.take(within: .milliseconds(5))
        #expect(!isTaken)
        // However calls and time-outs meet, the two slots are there in the end.
        await withTaskGroup { group in
            for number in 0..<200 {
                group.addTask {
                    if await slots.take(within: .microseconds(number * 20)) { slots.giveBack() }
                }
            }
            for _ in 0..<2 { slots.giveBack() }
        }
        for isFree in [true, true, false] {
            isTaken = await slots.take(within: .milliseconds(1))
            #expect(isTaken == isFree)
        }
    }
}
