import Testing

@testable import SettleRabbitMQ

@Suite struct FIFOTests {
    @Test func itGivesBackInOrderThroughAnyMix() {
        var random = SystemRandomNumberGenerator()
        var fifo = FIFO<Int>()
        var (next, first) = (0, 0)
        for _ in 0..<20_000 {
            if Bool.random(using: &random) {
                fifo.append(next)
                next += 1
            } else {
                let count = Int.random(in: 0...min(3, fifo.count), using: &random)
                fifo.removeFirst(count)
                first += count
            }
            #expect(fifo.count == next - first)
            #expect(fifo.first == (next > first ? first : nil))
            if next > first { #expect(fifo[fifo.count - 1] == next - 1) }
        }
    }

    @Test func whatIsRemovedIsLetGoOf() {
        final class Thing {}
        var fifo = FIFO<Thing>()
        for _ in 0..<3 { fifo.append(Thing()) }
        weak let first = fifo.first
        #expect(first != nil)
        fifo.removeFirst()
        #expect(first == nil)
        #expect(fifo.count == 2)
    }
}
