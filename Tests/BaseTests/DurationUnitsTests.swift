import Foundation
import SettleCore
import Testing

@Suite("Durations in units")
struct DurationUnitsTests {
    @Test(
        "rounded up, so that a limit shorter than a unit does not become none",
        arguments: [
            (Duration.zero, 0, 0), (.nanoseconds(1), 1, 1), (.milliseconds(1), 1, 1), (.microseconds(1_001), 2, 1),
            (.seconds(1), 1_000, 1), (.milliseconds(2_500), 2_500, 3), (.seconds(86_400), 86_400_000, 86_400),
            (.nanoseconds(-1), 0, 0), (.microseconds(-1_500), -1, 0), (.seconds(-2), -2_000, -2),
        ])
    func rounding(duration: Duration, milliseconds: Int, seconds: Int) {
        #expect(duration.milliseconds == milliseconds)
        #expect(duration.seconds == seconds)
    }

    @Test("as long as there is, and nothing traps")
    func longest() {
        let century = 100 * 366 * 86_400
        for duration in [Duration.seconds(Int64.max), .seconds(Int64.max) + .nanoseconds(999_999_999)] {
            #expect(duration.seconds == century)
            #expect(duration.milliseconds == century * 1_000)
            #expect(duration.timeval.tv_sec == century)
        }
        #expect(Duration.seconds(Int64.min).milliseconds == -century * 1_000)
    }

    @Test("for C: never zero, which means for ever")
    func timeval() {
        for (duration, seconds, microseconds) in [
            (Duration.zero, 0, 1), (.seconds(-3), 0, 1), (.nanoseconds(1_500), 0, 2),
            (.milliseconds(1_250), 1, 250_000),
        ] {
            #expect(Int(duration.timeval.tv_sec) == seconds)
            #expect(Int(duration.timeval.tv_usec) == microseconds)
        }
    }
}
