import Testing

@testable import Base

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
