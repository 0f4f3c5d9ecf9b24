import SettleCore
import Testing

@testable import SettleServiceKit

@Suite("Traces: sampling")
struct TraceSamplerTests {
    private static let sampled = TraceParent.random()
    private static let unsampled = TraceParent.random().sampled(false)

    private func records(_ kind: TraceSampler.Kind, ratio: Double = 1, beneath parent: TraceParent?) -> Bool {
        TraceSampler(kind: kind, ratio: ratio).records(parent ?? .random(), beneath: parent)
    }

    @Test("a trace that somebody else began is recorded as they say, where the sampler goes by them")
    func parents() {
        for kind in [TraceSampler.Kind.parentAlwaysOn, .parentAlwaysOff, .parentRatio] {
            #expect(records(kind, ratio: 0, beneath: Self.sampled))
            #expect(!records(kind, beneath: Self.unsampled))
        }
        #expect(records(.alwaysOn, beneath: Self.unsampled))
        #expect(!records(.alwaysOff, beneath: Self.sampled))
        #expect(!records(.ratio, ratio: 0, beneath: Self.sampled))
    }

    @Test("one that begins is recorded, or not, or as often as the ratio says")
    func roots() {
        #expect(records(.parentAlwaysOn, beneath: nil))
        #expect(!records(.parentAlwaysOff, beneath: nil))
        for kind in [TraceSampler.Kind.ratio, .parentRatio] {
            #expect(!records(kind, ratio: 0, beneath: nil))
            #expect(records(kind, ratio: 1, beneath: nil))
            let recorded = (0..<20_000).count { _ in records(kind, ratio: 0.1, beneath: nil) }
            // Two thousand, give or take; 300 are seven standard deviations.
            #expect((1_700...2_300).contains(recorded))
        }
    }

    @Test("the ratio goes by the trace's own number, so that all services record the same ones")
    func consistent() throws {
        let half = TraceSampler(kind: .ratio, ratio: 0.5)
        let low = try #require(TraceParent("00-ffffffffffffffff7fffffffffffffff-00f067aa0ba902b7-00"))
        let high = try #require(TraceParent("00-00000000000000008000000000000000-00f067aa0ba902b7-00"))
        #expect(half.records(low, beneath: nil))
        #expect(!half.records(high, beneath: nil))
    }
}
