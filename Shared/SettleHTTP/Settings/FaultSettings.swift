package import Settle
package import SettleServiceKit

/// Where a service without messages of its own may crash on demand.
package struct FaultSettings: Sendable {
    private var specification = ""

    /// What an operator may set.
    package static let table = SettingsTable(
        FaultSettings(),
        [
            .text(
                "settle-faults", \.specification, form: "POINT=ACTION, several with commas", whenUnset: "none",
                isEnvironmentOnly: true, "Has the process crash on demand, for tests.")
        ])

    /// - Parameter known: the service's own points, beside those of Settle.
    package static func failpoints(_ boot: Bootstrap, known: Set<String>) throws -> Failpoints {
        let specification = try table.read(boot.reader).specification
        return try boot.setting("SETTLE_FAULTS") {
            specification.isEmpty ? .none : try Failpoints(specification, points: Failpoints.points.union(known))
        }
    }
}
