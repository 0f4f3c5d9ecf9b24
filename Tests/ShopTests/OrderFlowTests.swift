import Settle
import ShopContract
import Testing

@testable import ShopOrder

@Suite("The flow of an order")
struct OrderFlowTests {
    /// The tasks of an order whose tasks are answered as `answer` says, and how it ends.
    private func run(_ mode: OrderMode, answer: (OrderFlow.Task) -> TaskAnswer) -> (sent: [OrderFlow.Task], end: String)
    {
        var sent = [OrderFlow.first(isTaken: !mode.isSent)]
        while sent.count < 10 {
            guard let task = sent.last else { break }
            switch OrderFlow.next(after: task, answer(task)) {
            case .addPoints: sent.append(.addPoint)
            case .restock: sent.append(.restock)
            case .giveBackPoints: sent.append(.refundPoint)
            case .settle: return (sent, "settled")
            case .cancel: return (sent, "cancelled")
            }
        }
        return (sent, "without end")
    }

    private static let modes: [OrderMode] = [
        .message, .centre, .global(stock: .at, points: .at), .global(stock: .saga, points: .xa),
    ]

    @Test("all finished: the order is settled, and nothing is undone", arguments: modes)
    func finished(mode: OrderMode) {
        let (sent, end) = run(mode) { _ in .finished }
        #expect(end == "settled")
        #expect(sent == (mode.isSent ? [.deductStock, .addPoint] : [.addPoint]))
    }

    @Test("without stock the order is cancelled, and nothing is undone: nothing was taken")
    func noStock() {
        let (sent, end) = run(.message) { $0 == .deductStock ? .rejected(reason: "none") : .finished }
        #expect(sent == [.deductStock])
        #expect(end == "cancelled")
    }

    @Test("stock that was to be taken by a task that is given up may have been taken: it goes back")
    func givenUp() {
        for end in [TaskEnd.expired, .discarded] {
            let step = OrderFlow.next(after: .deductStock, .rejected(reason: "no answer"), end: end)
            #expect(step == .restock(reason: "no answer"))
        }
    }

    @Test("without points what was taken goes back, in every mode", arguments: modes)
    func noPoints(mode: OrderMode) {
        let (sent, end) = run(mode) { $0 == .addPoint ? .rejected(reason: "unknown") : .finished }
        #expect(sent.suffix(3) == [.addPoint, .restock, .refundPoint])
        #expect(end == "cancelled")
    }

    @Test(
        "whatever is answered, each order ends, and what was taken is given back unless it is settled", arguments: modes
    )
    func ends(mode: OrderMode) {
        for pattern in 0..<16 {
            let refused = OrderFlow.Task.allCases.enumerated().filter { pattern >> $0.offset & 1 == 1 }.map(\.element)
            let (sent, end) = run(mode) { refused.contains($0) ? .rejected(reason: "no") : .finished }
            #expect(end != "without end", "\(refused)")
            let took = !mode.isSent || !refused.contains(.deductStock)
            #expect((end == "settled") != sent.contains(.restock) || !took, "\(refused)")
        }
    }

    @Test("in mode centre every task that an order may have is a message with names of its own")
    func messages() throws {
        let routes = OrderFlow.Task.allCases.compactMap(\.messageRoute)
        // Points that were spent are never given back there: none can be spent.
        #expect(Set(routes.map(\.type)) == ["deductstock", "addpoint", "restock"])
        #expect(Set(routes.map(\.queue)).isDisjoint(with: ShopRoutes.all.flatMap { [$0.queue, $0.answerQueue] }))
        #expect(Set(routes.map(\.routingKey)).isDisjoint(with: ShopRoutes.all.map(\.routingKey)))
        #expect(OrderMode(column: "centre") == .centre && OrderMode.centre.column == "centre")
    }

    @Test("each type of task of the shop is one of the flow")
    func routes() {
        #expect(Set(OrderFlow.Task.allCases.map(\.route)) == Set(ShopRoutes.all))
        for task in OrderFlow.Task.allCases { #expect(OrderFlow.Task(taskType: task.route.taskType) == task) }
        #expect(OrderFlow.Task(taskType: "another") == nil)
    }
}
