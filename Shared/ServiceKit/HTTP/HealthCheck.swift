import Hummingbird

/// Whether one thing that the service leans on is there.
public struct HealthCheck: Sendable {
    let name: String
    let isRequired: Bool
    let isUp: @Sendable () async -> Bool

    /// - Parameters:
    ///   - name: what `checks` shows it under: `postgres`, `rabbitmq`, `redis`.
    ///   - isRequired: without it the service is not ready; one that is only a fast path is shown but does not count.
    ///   - isUp: must answer at once, from what is known.
    public init(_ name: String, isRequired: Bool = true, _ isUp: @escaping @Sendable () async -> Bool) {
        self.name = name
        self.isRequired = isRequired
        self.isUp = isUp
    }
}

/// `/health/live` and `/health/ready`.
struct HealthRoutes {
    private struct Live: Encodable { let status = "live" }

    private struct Ready: Encodable {
        let status: String
        let checks: [String: String]
    }

    let checks: [HealthCheck]

    func add(to router: ServiceRouter) {
        router.get("health/live") { _, _ in try Response.json(Live()) }
        router.get("health/ready") { _, _ in try await ready() }
    }

    static let operations = [
        APIOperation(.get, "/health/live", .always, "Whether the process runs.")
            .answering(.ok, .object(["status": .choice(["live"])])),
        APIOperation(.get, "/health/ready", .always, "Whether all is there that the service cannot do without.")
            .answering(.ok, ready, "Ready").answering(.serviceUnavailable, ready, "Something is away"),
    ]

    private static let ready = APISchema.object([
        "status": .choice(["ready", "unready"]), "checks": .map(of: .choice(["up", "down"])),
    ])

    /// Whether all is there that the service cannot do without.
    func isReady() async -> Bool { await look().isReady }

    private func ready() async throws -> Response {
        let (isReady, shown) = await look()
        return try Response.json(
            Ready(status: isReady ? "ready" : "unready", checks: shown), status: isReady ? .ok : .serviceUnavailable)
    }

    private func look() async -> (isReady: Bool, shown: [String: String]) {
        var isReady = true
        var shown: [String: String] = [:]
        for check in checks {
            let isUp = await check.isUp()
            shown[check.name] = isUp ? "up" : "down"
            if check.isRequired, !isUp { isReady = false }
        }
        return (isReady, shown)
    }
}
