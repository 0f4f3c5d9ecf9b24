import Foundation
import Settle
import SettleServiceKit
import ShopContract
import Testing

@testable import ShopFaultAgent
@testable import ShopMessageCentre

@Suite("The agent that breaks things")
struct FaultAgentTests {
    // MARK: Switches

    @Test("each point of each service has a switch and words in both languages; no other has")
    func points() {
        let own: Set = ["order.branchesDone", "order.beforeCommit", "order.committed"]
        let known = Failpoints.points.union(MessageCentreCommand.failpoints).union(own)
        #expect(Set(Failpoint.all.map(\.point)) == known)
        let switches = Switch.all(lines: ["redis", "to-order"])
        #expect(Set(switches.map(\.id)).count == switches.count)
        #expect(switches.allSatisfy { !$0.says.en.isEmpty && !$0.says.zh.isEmpty })
        #expect(switches.contains { $0.id == "away:redis" } && !switches.contains { $0.id == "away:to-order" })
        #expect(!Switch.all(lines: []).contains { $0.kind == .network })
    }

    @Test("lines are read; what is no list of them is not")
    func lines() {
        #expect(
            LineAddress.list("a=1:h:2, b=3:127.0.0.1:4") == [
                LineAddress(name: "a", port: 1, host: "h", target: 2),
                LineAddress(name: "b", port: 3, host: "127.0.0.1", target: 4),
            ])
        for text in [
            "", "a", "a=1", "a=1:h", "a=x:h:2", "a=0:h:2", "a=1:h:65536", "a=1:h:2,", "a=1:h:2,a=3:h:4",
            "a=1:h:2,b=1:h:3",
        ] {
            #expect(LineAddress.list(text) == nil, "\(text)")
        }
    }

    // MARK: What mended it

    private func look(
        _ name: String, process: UUID?, _ counts: [Evidence: Double] = [:], _ inFlight: InFlight? = InFlight()
    ) -> Look {
        Look(services: [
            name: Look.Service(process: process, isReady: process != nil, inFlight: inFlight, counts: counts)
        ])
    }

    @Test("counters are read by name and label, and added up over their other labels")
    func counters() {
        let counts = Evidence.counts(
            in: """
                # TYPE settle_inbox_total counter
                settle_inbox_total{outcome="duplicate",queue="a"} 2
                settle_inbox_total{outcome="duplicate",queue="b"} 3
                settle_inbox_total{outcome="applied",queue="b"} 7
                settle_check_backs_total 4
                settle_check_backs_total_more 9
                """)
        #expect(counts == [.duplicates: 5, .checkBacks: 4])
    }

    @Test("a counter begins anew with its process; what it had counted before counts; who is away has counted nothing")
    func restarts() {
        let (first, second) = (UUID(), UUID())
        var observation = Observation(look("order", process: first, [.republished: 10]))
        observation.add(look("order", process: first, [.republished: 12]))
        observation.add(look("order", process: nil, [:], nil))
        observation.add(look("order", process: second, [.republished: 1]))
        observation.add(look("order", process: second, [:]))
        observation.add(look("order", process: second, [.republished: 4]))
        #expect(
            observation.mended == [
                Observation.Line(what: .republished, service: "order", count: 6),
                Observation.Line(what: .restarts, service: "order", count: 1),
            ])
    }

    @Test("what was on its way is what each said last; messages that were there before are nobody's")
    func inFlight() {
        let process = UUID()
        var observation = Observation(look("message-centre", process: process, [:], InFlight(messages: 2)))
        observation.add(look("message-centre", process: process, [:], InFlight(messages: 5)))
        observation.add(look("message-centre", process: nil, [:], nil))
        #expect(observation.inFlight == InFlight(messages: 3))
        let baseline = look("message-centre", process: process, [:], InFlight(messages: 2))
        #expect(look("message-centre", process: process, [:], InFlight(messages: 2)).isIdle(since: baseline))
        #expect(!look("message-centre", process: process, [:], InFlight(messages: 3)).isIdle(since: baseline))
        #expect(!look("message-centre", process: nil, [:], nil).isIdle(since: baseline))
    }

    // MARK: The books

    private static let clean = Shop.Reconciliation(
        startedAt: Date(), endedAt: Date(), orders: 1, found: 0, clean: true)

    private func order(_ id: String, _ status: String, spend: Int64 = 0) -> PlacedOrder {
        PlacedOrder(
            id: id, userName: "alice", items: [.init(sku: "tea", quantity: 2)], point: 240 - spend, spendPoints: spend,
            status: status, createdAt: Date())
    }

    private func books(
        _ orders: [PlacedOrder], stock: [LedgerEntry], points: [LedgerEntry], placed: Set<String> = [],
        wrongBalances: [String] = [], reconciliation: Shop.Reconciliation = clean
    ) -> Books {
        Books(
            orders: orders, stock: stock, points: points, placed: placed, wrongBalances: wrongBalances,
            reconciliation: reconciliation)
    }

    private let taken = LedgerEntry(key: "a", lines: [LedgerLine(account: "tea", kind: "taken", amount: 2)])
    private let earned = LedgerEntry(
        key: "a",
        lines: [
            LedgerLine(account: "alice", kind: "earned", amount: 235),
            LedgerLine(account: "alice", kind: "spent", amount: 5),
        ])

    @Test("books that are right agree")
    func right() {
        let right = books(
            [order("a", "settled", spend: 5), order("b", "cancelled")], stock: [taken], points: [earned], placed: ["a"])
        #expect(right.agree && right.findings.isEmpty, "\(right.findings)")
        #expect(right.orders == ["settled": 1, "cancelled": 1])
        #expect(right.stockTaken == Books.Sums(ordered: 2, booked: 2))
        #expect(right.pointsEarned == Books.Sums(ordered: 235, booked: 235))
        #expect(right.pointsSpent == Books.Sums(ordered: 5, booked: 5))
    }

    @Test("whatever is wrong with them is found, and named")
    func wrong() {
        let settled = [order("a", "settled", spend: 5)]
        let dirty = Shop.Reconciliation(startedAt: Date(), endedAt: Date(), orders: 1, found: 3, clean: false)
        for (found, word) in [
            (books(settled, stock: [], points: [earned]), "stock, order a"),
            (books(settled, stock: [taken], points: []), "user-points, order a"),
            (books([order("a", "cancelled")], stock: [taken], points: []), "stock, order a"),
            (books([], stock: [taken], points: []), "stock, order a"),
            (books([order("a", "placed")], stock: [], points: []), "order a is placed"),
            (books([], stock: [], points: [], placed: ["x"]), "order x was answered and is lost"),
            (books([], stock: [], points: [], wrongBalances: ["tea is wrong"]), "tea is wrong"),
            (books([], stock: [], points: [], reconciliation: dirty), "3 findings"),
        ] {
            #expect(!found.agree && found.findings.contains { $0.contains(word) }, "\(word): \(found.findings)")
        }
    }

    @Test("an order is JSON, whatever its kind, and nobody spends what is not there")
    func orders() throws {
        for kind in OrderKind.all {
            for number in 0..<18 {
                let body = try #require(
                    try JSONSerialization.jsonObject(with: Data(kind.body(number).utf8)) as? [String: Any])
                let spends = try #require(body["spendPoints"] as? Int)
                #expect(spends == 0 || body["userName"] as? String == "alice")
            }
        }
    }
}
