import SettleHTTPTestSupport
import SettleTestSupport
import Testing

@testable import SettleServiceKit

@Suite("HTTP: what all connections hold together")
struct ServerLoadTests {
    private static func load(connections: Int = 2, budget: Int = 100) -> ServerLoad {
        ServerLoad(
            maxConnections: connections, bodyBudget: budget, factory: PrometheusMetrics(), logger: quiet)
    }

    @Test("connections: served, then told so, then closed; and served again when others have gone")
    func connections() {
        let load = Self.load()
        let first = (0..<2 + 64 + 1).map { _ in load.opened() }
        #expect(first.prefix(2).allSatisfy { $0 == .admitted })
        #expect(first.dropFirst(2).prefix(64).allSatisfy { $0 == .refused })
        #expect(first.last == .dropped)
        for _ in 0..<66 { load.closed() }
        #expect(load.opened() == .admitted)
    }

    @Test("bodies: what is refused takes nothing, and what is over gives all back, once")
    func bodies() {
        let load = Self.load()
        let (one, other) = (BodyClaim(load), BodyClaim(load))
        #expect(one.add(60))
        #expect(!other.add(41))
        #expect(other.add(40))
        #expect(!one.add(1))
        one.release()
        one.release()
        #expect(other.add(60))
        #expect(!one.add(1))
    }
}
