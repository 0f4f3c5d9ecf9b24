import Testing

@testable import Settle

@Suite("Task settings")
struct SettingsTests {
    @Test("durations reach the database as whole milliseconds")
    func milliseconds() {
        #expect(Duration.milliseconds(1500).milliseconds == 1500)
        #expect(Duration.microseconds(999).milliseconds == 0)
        #expect(Duration.seconds(3600).milliseconds == 3_600_000)
        #expect((Duration.seconds(1) * 0.25).milliseconds == 250)
    }
}
