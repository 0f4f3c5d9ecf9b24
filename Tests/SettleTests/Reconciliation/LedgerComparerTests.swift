import Foundation
import SettleCore
import Testing

@testable import Settle

@Suite("Comparing entries")
struct LedgerComparerTests {
    private func entry(_ key: String, _ lines: (String, String, Int64)...) -> LedgerEntry {
        LedgerEntry(key: key, lines: lines.map { LedgerLine(account: $0.0, kind: $0.1, amount: $0.2) })
    }

    @Test("what is the same, in whatever order and in however many parts, is no difference")
    func same() {
        let expected = [entry("1", ("tea", "taken", 5), ("cup", "taken", 1)), entry("2", ("tea", "taken", 1))]
        let booked = [
            entry("2", ("tea", "taken", 1)), entry("1", ("cup", "taken", 1), ("tea", "taken", 2), ("tea", "taken", 3)),
        ]
        #expect(LedgerComparer.differences(expected: expected, booked: booked).isEmpty)
        #expect(LedgerComparer.differences(expected: [], booked: [entry("3", ("tea", "taken", 0))]).isEmpty)
    }

    @Test("what is missing, what nobody expects, and what has another amount, account or kind is found")
    func different() {
        let expected = [
            entry("missing", ("tea", "taken", 1)), entry("amount", ("tea", "taken", 1)),
            entry("account", ("tea", "taken", 1)), entry("kind", ("bob", "earned", 1)),
        ]
        let booked = [
            entry("amount", ("tea", "taken", 2)), entry("account", ("cup", "taken", 1)),
            entry("kind", ("bob", "spent", 1)), entry("stray", ("tea", "taken", 1)),
        ]
        let found = LedgerComparer.differences(expected: expected, booked: booked)
        #expect(found.map(\.key) == ["account", "amount", "kind", "missing", "stray"])
        #expect(found.map(\.booked.isEmpty) == [false, false, false, true, false])
        #expect(found.last?.expected.isEmpty == true)
    }

    @Test("keys and accounts that a database tells apart are told apart")
    func bytes() {
        let composed = entry("caf\u{e9}", ("\u{e9}", "taken", 1))
        let decomposed = entry("cafe\u{301}", ("e\u{301}", "taken", 1))
        let found = LedgerComparer.differences(expected: [composed], booked: [decomposed])
        #expect(found.count == 2)
        #expect(!LedgerComparer.isSame(composed.lines, decomposed.lines))
    }

    @Test("the lines of an adjustment make one entry of another, and amounts that cannot be counted trap nowhere")
    func delta() {
        let before = [LedgerLine(account: "tea", kind: "taken", amount: 5)]
        let after = [
            LedgerLine(account: "cup", kind: "taken", amount: 1), LedgerLine(account: "tea", kind: "taken", amount: 2),
        ]
        #expect(
            LedgerComparer.delta(from: before, to: after) == [
                LedgerLine(account: "cup", kind: "taken", amount: 1),
                LedgerLine(account: "tea", kind: "taken", amount: -3),
            ])
        let (least, most) = (
            [LedgerLine(account: "a", kind: "k", amount: .min)], [LedgerLine(account: "a", kind: "k", amount: .max)]
        )
        #expect(LedgerComparer.delta(from: least, to: most).map(\.amount) == [.max])
        #expect(LedgerComparer.delta(from: most, to: least).map(\.amount) == [.min])
    }

    @Test("any mixture of corruptions is found exactly, and its adjustment puts it right")
    func random() {
        var random = SystemRandomNumberGenerator()
        for _ in 1...200 {
            let expected = (0..<50).map { number in
                entry("\(number)", ("a\(number % 3)", "taken", Int64(1 + number % 5)))
            }
            var wrong: Set<Int> = []
            var booked: [LedgerEntry] = []
            for (number, entry) in expected.enumerated() {
                switch Int.random(in: 0..<10, using: &random) {
                case 0: wrong.insert(number)  // lost
                case 1:
                    wrong.insert(number)
                    booked.append(
                        self.entry(entry.key, ("a9", "taken", entry.lines[0].amount)))
                default: booked.append(entry)
                }
            }
            let found = LedgerComparer.differences(expected: expected, booked: booked.shuffled())
            #expect(Set(found.compactMap { Int($0.key) }) == wrong)
            for difference in found {
                let delta = LedgerComparer.delta(from: difference.booked, to: difference.expected)
                #expect(LedgerComparer.isSame(difference.booked + delta, difference.expected))
            }
        }
    }
}

@Suite("Ranges of keys in time")
struct LedgerRangeTests {
    @Test("a moment's key comes before all that are made from then on, and after all that were made before")
    func moment() {
        let moment = Date(timeIntervalSince1970: 1_767_225_600.123)
        let bound = LedgerRange.key(at: moment)
        #expect(UUID(uuidString: bound) != nil)
        for _ in 1...100 {
            #expect(UUID.v7(at: moment.addingTimeInterval(0.001)).uuidString.lowercased() > bound)
            #expect(UUID.v7(at: moment.addingTimeInterval(-0.002)).uuidString.lowercased() < bound)
        }
        #expect(LedgerRange.key(at: .distantPast) == "00000000-0000-7000-8000-000000000000")
        #expect(LedgerRange.key(at: .distantFuture) < "ffffffff-ffff-7fff-ffff-ffffffffffff")
    }

    @Test("a range is divided into ranges that follow each other, down to what cannot be divided")
    func division() {
        var range = LedgerRange(from: "", to: LedgerRange.key(at: Date(timeIntervalSince1970: 1_767_225_600)))
        var depth = 0
        while true {
            let bounds = range.bounds(dividedBy: 64)
            #expect(bounds.first == range.from && bounds.last == range.to)
            #expect(bounds == bounds.sorted() && Set(bounds).count == bounds.count && bounds.count <= 65)
            guard bounds.count > 2 else { break }
            range = LedgerRange(from: bounds[bounds.count / 2 - 1], to: bounds[bounds.count / 2])
            depth += 1
        }
        #expect(depth < 15)
        #expect(LedgerRange(from: "x", to: "y").bounds(dividedBy: 64) == ["x", "y"])
        #expect(LedgerRange(from: "", to: nil).bounds(dividedBy: 64) == [""])
    }
}
