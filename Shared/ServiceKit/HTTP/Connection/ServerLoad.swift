import HTTPTypes
import Logging
import Metrics
import Synchronization

/// What all connections of one server hold together.
final class ServerLoad: Sendable {
    enum Admission {
        case admitted
        /// To be told so, then closed.
        case refused
        /// There are too many even of those.
        case dropped
    }

    /// Refused ones that are being told so at once.
    private static let refusedAtOnce = 64

    private let maxConnections: Int
    private let bodyBudget: Int
    private let factory: any MetricsFactory
    private let logger: Logger
    private let connections = Atomic(0)
    private let bodyBytes = Atomic(0)
    private let gauge: Meter
    private let warning = Seldom()

    init(maxConnections: Int, bodyBudget: Int, factory: any MetricsFactory, logger: Logger) {
        self.maxConnections = maxConnections
        self.bodyBudget = bodyBudget
        self.factory = factory
        self.logger = logger
        gauge = Meter(label: "http_connections", dimensions: [], factory: factory)
    }

    /// A connection came; ``closed()`` belongs to it whatever this returns.
    func opened() -> Admission {
        let count = connections.add(1, ordering: .relaxed).newValue
        gauge.set(count)
        if count <= maxConnections { return .admitted }
        return count <= maxConnections + Self.refusedAtOnce ? .refused : .dropped
    }

    func closed() { gauge.set(connections.subtract(1, ordering: .relaxed).newValue) }

    /// - Returns: false, and nothing is taken, when that would be beyond the budget.
    func claim(bodyBytes count: Int) -> Bool {
        if bodyBytes.add(count, ordering: .relaxed).newValue <= bodyBudget { return true }
        release(bodyBytes: count)
        return false
    }

    func release(bodyBytes count: Int) { bodyBytes.subtract(count, ordering: .relaxed) }

    /// A request that never reached a route; those that did are counted there.
    func count(refusal problem: Problem) {
        Counter(label: "http_refused_total", dimensions: [("status", "\(problem.status.code)")], factory: factory)
            .increment()
        // An operator should see that clients are refused, not a line for each of them.
        guard problem.status == .serviceUnavailable, warning.isDue() else { return }
        logger.warning(
            "clients are refused",
            metadata: [
                "reason": "\(problem.detail ?? problem.title)",
                "connections": "\(connections.load(ordering: .relaxed))",
                "bodyBytes": "\(bodyBytes.load(ordering: .relaxed))",
            ])
    }
}

/// What one connection's request body takes of the server's budget.
final class BodyClaim: Sendable {
    private let load: ServerLoad
    private let bytes = Atomic(0)

    init(_ load: ServerLoad) { self.load = load }

    /// - Returns: whether `count` bytes more may be kept.
    func add(_ count: Int) -> Bool {
        guard load.claim(bodyBytes: count) else { return false }
        bytes.add(count, ordering: .relaxed)
        return true
    }

    /// The request is over. More than once is as good as once.
    func release() {
        let count = bytes.exchange(0, ordering: .relaxed)
        if count > 0 { load.release(bodyBytes: count) }
    }
}
