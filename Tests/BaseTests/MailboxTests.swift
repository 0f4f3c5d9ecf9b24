import SettleCore
import Testing

@Suite("Mailbox", .timeLimit(.minutes(1)))
struct MailboxTests {
    @Test("what gathered is taken at once, in order")
    func gathers() async {
        let mailbox = Mailbox<Int>(capacity: 10)
        for number in 1...3 { mailbox.offer(number) }
        #expect(mailbox.count == 3)
        #expect(await mailbox.take() == [1, 2, 3])
        #expect(mailbox.count == 0)
    }

    @Test("at most so many are taken, the rest waits")
    func limit() async {
        let mailbox = Mailbox<Int>(capacity: 10)
        mailbox.offer(contentsOf: 1...5)
        #expect(await mailbox.take(atMost: 2) == [1, 2])
        #expect(await mailbox.take(atMost: 2) == [3, 4])
        #expect(await mailbox.take(atMost: 2) == [5])
    }

    @Test("a full one takes what it has room for and says so")
    func full() async {
        let mailbox = Mailbox<Int>(capacity: 3)
        #expect(mailbox.offer(contentsOf: 1...2) == 2)
        #expect(mailbox.offer(contentsOf: 3...9) == 1)
        #expect(!mailbox.offer(10))
        #expect(await mailbox.take() == [1, 2, 3])
        #expect(mailbox.offer(11))
    }

    @Test("a waiting reader is woken")
    func wakes() async {
        let mailbox = Mailbox<Int>(capacity: 1)
        async let taken = mailbox.take()
        mailbox.offer(7)
        #expect(await taken == [7])
    }

    @Test("closing refuses what is new, hands out what is there, and then lets the reader go")
    func close() async {
        let mailbox = Mailbox<Int>(capacity: 10)
        mailbox.offer(contentsOf: 1...3)
        mailbox.close()
        #expect(!mailbox.offer(4))
        #expect(await mailbox.take(atMost: 2) == [1, 2])
        #expect(await mailbox.take(atMost: 2) == [3])
        #expect(await mailbox.take().isEmpty)
        #expect(await mailbox.take().isEmpty)
    }

    @Test("closing wakes a waiting reader")
    func closeWakes() async {
        let mailbox = Mailbox<Int>(capacity: 1)
        async let taken = mailbox.take()
        mailbox.close()
        #expect(await taken.isEmpty)
    }

    @Test("cancelling lets the reader go, before it waits and while it does")
    func cancel() async {
        let mailbox = Mailbox<Int>(capacity: 1)
        for _ in 0..<200 {
            let reader = Task { await mailbox.take() }
            reader.cancel()
            #expect(await reader.value.isEmpty)
        }
        mailbox.offer(1)
        #expect(await mailbox.take() == [1])
    }

    @Test("many writers, one reader: nothing lost, nothing twice, each writer's own in order")
    func concurrent() async {
        let (writers, each) = (8, 2_000)
        let mailbox = Mailbox<[Int]>(capacity: 64)
        let taken = await withTaskGroup { group in
            for writer in 0..<writers {
                group.addTask {
                    var next = 0
                    while next < each {
                        if mailbox.offer([writer, next]) { next += 1 } else { await Task.yield() }
                    }
                }
            }
            var taken: [[Int]] = []
            while taken.count < writers * each { taken += await mailbox.take() }
            return taken
        }
        for writer in 0..<writers {
            #expect(taken.filter { $0[0] == writer }.map { $0[1] } == Array(0..<each))
        }
    }
}
