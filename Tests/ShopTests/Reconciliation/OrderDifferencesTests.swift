import Settle
import SettleServiceKit
import ShopContract
import Testing

@testable import ShopOrder

@Suite("What differences between orders and books are called")
struct OrderDifferencesTests {
    private func kind(
        _ book: String, _ state: String?, expected: [LedgerLine] = [], booked: [LedgerLine] = []
    ) -> OrderDifferences.Kind? {
        let entries = { (lines: [LedgerLine]) in lines.isEmpty ? [] : [LedgerEntry(key: "k", lines: lines)] }
        let found = LedgerComparer.differences(expected: entries(expected), booked: entries(booked))
        return found.first.flatMap { difference in
            OrderDifferences.kind(
                of: BookDifference(
                    book: book, difference: difference, state: state.map { BusinessState(name: $0, isFinal: true) }))
        }
    }

    private let stock = ShopServices.stock.name
    private let points = ShopServices.userPoints.name
    private let tea = LedgerLine(account: "tea", kind: "taken", amount: 2)
    private let earned = LedgerLine(account: "bob", kind: "earned", amount: 9)
    private let spent = LedgerLine(account: "bob", kind: "spent", amount: 5)

    @Test("each has its name")
    func names() {
        #expect(kind(stock, "settled", expected: [tea]) == .stockNotTaken)
        let more = LedgerLine(account: "tea", kind: "taken", amount: 3)
        #expect(kind(stock, "settled", expected: [tea], booked: [more]) == .stockDiffers)
        #expect(kind(stock, "cancelled", booked: [tea]) == .stockKept)
        #expect(kind(stock, nil, booked: [tea]) == .stockWithoutOrder)
        let less = LedgerLine(account: "tea", kind: "taken", amount: -2)
        #expect(kind(stock, "cancelled", booked: [less]) == .stockDiffers, "given back twice")
        #expect(kind(points, "settled", expected: [earned, spent], booked: [spent]) == .pointsMissing)
        #expect(kind(points, "settled", expected: [earned, spent]) == .pointsMissing)
        #expect(kind(points, "settled", expected: [earned, spent], booked: [earned]) == .pointsDiffer)
        let another = LedgerLine(account: "eve", kind: "earned", amount: 9)
        #expect(kind(points, "settled", expected: [earned], booked: [another]) == .pointsDiffer)
        #expect(kind(points, "settled", expected: [spent]) == .pointsDiffer, "points are not earned with points alone")
        #expect(kind(points, "cancelled", booked: [spent]) == .spentPointsKept)
        #expect(kind(points, "cancelled", booked: [earned, spent]) == .pointsForCancelledOrder)
        #expect(kind(points, nil, booked: [earned]) == .pointsWithoutOrder)
        #expect(kind(points, "placed", booked: [earned]) == nil, "it is not over")
    }

    @Test("what is sent again is what the order's chain would have sent")
    func tasks() {
        #expect(OrderDifferences.Kind.allCases.compactMap(\.task).count == OrderFlow.Task.allCases.count)
        #expect(OrderDifferences.Kind.stockNotTaken.task == .deductStock)
        #expect(OrderDifferences.Kind.stockKept.task == .restock)
        #expect(OrderDifferences.Kind.pointsMissing.task == .addPoint)
        #expect(OrderDifferences.Kind.spentPointsKept.task == .refundPoint)
    }
}
