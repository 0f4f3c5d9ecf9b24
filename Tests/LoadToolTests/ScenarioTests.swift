import Foundation
import SettleTestSupport
import Testing

@testable import SettleLoadTool

@Suite("Scenarios")
struct ScenarioTests {
    @Test("a plan has every mode with a thousand products and with three, with keys, with points, closed and open")
    func plan() {
        let plan = Scenario.plan(modes: Scenario.modes, clients: 32, perSecond: 500, isQuick: false)
        #expect(Set(plan).count == plan.count)
        for mode in Scenario.modes {
            let names = plan.filter { $0.mode == mode }.map(\.name)
            let points = mode == "message" ? [] : ["\(mode), points"]
            let one = ["at", "tcc"].contains(mode) ? ["\(mode), 1 hot"] : []
            let others = ["\(mode), 3 hot", "\(mode), key"] + points + ["\(mode), 500/s"]
            #expect(names == [mode] + (mode == Scenario.flash ? [] : one + others))
        }
    }

    @Test("a flash product is compared with one product in tcc and at")
    func flash() throws {
        let plan = Scenario.plan(modes: ["flash", "tcc"], clients: 1, perSecond: 1, isQuick: true)
        #expect(plan.prefix(3).map(\.name) == ["tcc", "flash", "tcc, 1 hot"])
        var requests = OrderRequests(try #require(plan.first { $0.mode == "flash" }), run: "r")
        let text = String(decoding: requests.next(), as: UTF8.self)
        #expect(text.contains(#""sku":"flash""#) && text.contains(#""mode":"at""#))
    }

    @Test("a quick plan has each of its modes, and one run of everything else")
    func quick() {
        let modes = Array(Scenario.quickModes)
        let plan = Scenario.plan(modes: modes, clients: 32, perSecond: 500, isQuick: true)
        #expect(Set(plan.map(\.mode)) == Set(modes))
        #expect(plan.contains { $0.hasKey } && plan.contains { $0.spendsPoints } && plan.contains { $0.products == 3 })
        #expect(plan.count < 12)
    }

    @Test("requests say what the scenario says, and the same each time")
    func requests() throws {
        let scenario = Scenario(
            mode: "tcc", pace: .closed(clients: 1), products: 3, hasKey: true, spendsPoints: true)
        var (first, second) = (
            OrderRequests(scenario, run: "r"), OrderRequests(scenario, run: "r")
        )
        var products: Set<String> = []
        for number in 1...100 {
            let bytes = first.next()
            #expect(bytes == second.next())
            let parts = String(decoding: bytes, as: UTF8.self).components(separatedBy: "\r\n\r\n")
            let (head, body) = (parts[0], try #require(parts.last))
            #expect(
                head.contains("\r\nIdempotency-Key: r-\(number)") && head.contains("Content-Length: \(body.utf8.count)")
            )
            struct Body: Decodable {
                struct Item: Decodable { let sku: String }
                let mode: String
                let spendPoints: Int
                let items: [Item]
            }
            let order = try JSONDecoder().decode(Body.self, from: Data(body.utf8))
            #expect(order.mode == "tcc" && order.spendPoints == 2)
            products.formUnion(order.items.map(\.sku))
        }
        #expect(products == ["p1", "p2", "p3"])
    }

    @Test("the first id of a time is that of version 7")
    func firstID() {
        let date = Date(timeIntervalSince1970: 1_645_557_742)
        #expect(BenchRun.firstID(at: date) == "017f22e2-79b0-7000-8000-000000000000")
        #expect(BenchRun.firstID(at: .distantFuture) > BenchRun.firstID(at: date))
        #expect(BenchRun.firstID(at: .distantFuture).count == 36)
    }
}
