import Logging
package import Settle
package import SettleServiceKit

/// Where a service may crash on demand, and whether it can be told to while it runs.
package struct FaultSettings: Sendable {
    private var specification = ""
    /// Whether `/faults` is there.
    package private(set) var areSwitched = false

    /// What an operator may set.
    package static let table = SettingsTable(
        FaultSettings(),
        [
            .text(
                "settle-faults", \.specification, form: "POINT=ACTION, several with commas", whenUnset: "none",
                isEnvironmentOnly: true, "Has the process crash on demand, for tests."),
            .choice(
                "fault-switches", \.areSwitched, [("on", true), ("off", false)],
                "When on, whoever has the token may have the process crash, pause and fail. For demonstrations only."),
        ])

    /// - Parameter known: the service's own points, beside those of Settle.
    package static func failpoints(_ boot: Bootstrap, known: Set<String>) throws -> Failpoints {
        let settings = try table.read(boot.reader)
        let points = Failpoints.points.union(known)
        if settings.areSwitched {
            boot.logger.warning(
                "FAULT_SWITCHES is on: whoever has the token may have this process crash, pause and fail")
        }
        return try boot.setting("SETTLE_FAULTS") {
            if settings.areSwitched { return try Failpoints(settings.specification, switchable: points) }
            return settings.specification.isEmpty ? .none : try Failpoints(settings.specification, points: points)
        }
    }
}
