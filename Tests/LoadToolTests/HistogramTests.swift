import Testing

@testable import SettleLoadTool

@Suite("Histogram")
struct HistogramTests {
    @Test("an empty one has no percentiles")
    func empty() { #expect(Histogram().percentile(50) == nil) }

    @Test("percentiles are the value of that rank, and at most 1.6 % more", arguments: [1, 100, 10_000, 1_000_000])
    func ranks(scale: Int) throws {
        var histogram = Histogram()
        for value in (1...1_000).shuffled() { histogram.record(.microseconds(value * scale)) }
        #expect(histogram.count == 1_000)
        for (percent, rank) in [(0.0, 1), (50, 500), (99, 990), (99.9, 999), (100, 1_000)] {
            let exact = Double(rank * scale) / 1000
            let seen = try #require(histogram.percentile(percent))
            #expect(seen >= exact && seen <= exact * 65 / 64, "p\(percent) of \(scale)")
        }
    }

    @Test("the last percentile is the longest there was")
    func longest() {
        var histogram = Histogram()
        histogram.record(.milliseconds(1_234_567))
        #expect(histogram.percentile(99.9) == 1_234_567)
    }

    @Test("a duration below nothing counts as nothing")
    func negative() {
        var histogram = Histogram()
        histogram.record(.milliseconds(-5))
        #expect(histogram.percentile(100) == 0)
    }
}
