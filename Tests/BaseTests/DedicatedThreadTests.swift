import SettleCore
import Foundation
import Testing

@Suite("Dedicated thread", .timeLimit(.minutes(1)))
struct DedicatedThreadTests {
    @Test("threads that block hold up neither each other nor the cooperative pool")
    func blocking() async {
        let count = 64
        let all = DispatchSemaphore(value: 0)
        let finished = Mailbox<Void>(capacity: count)
        for _ in 0..<count {
            DedicatedThread.start(name: "blocks") {
                all.wait()
                finished.offer(())
            }
        }
        // Sixty-four threads of the cooperative pool would be all of it, many times over, and this never reached.
        for _ in 0..<count { all.signal() }
        var ended = 0
        while ended < count { ended += await finished.take().count }
    }
}
