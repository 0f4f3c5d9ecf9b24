import Testing

@testable import Settle

@Suite("Decide all")
struct DecideAllTests {
    @Test("only what is still open is asked about again; outcomes keep their order")
    func rounds() async throws {
        var asked: [[Int]] = []
        let outcomes = try await decideAll(Array(0..<6)) { items in
            asked.append(items)
            // Each round decides the even positions of what it is asked about.
            return items.enumerated().map { $0.offset.isMultiple(of: 2) ? $0.element * 10 : nil }
        }
        #expect(outcomes == [0, 10, 20, 30, 40, 50])
        #expect(asked == [[0, 1, 2, 3, 4, 5], [1, 3, 5], [3]])
    }

    @Test("nothing to decide is nothing to ask")
    func nothing() async throws {
        let outcomes: [Int] = try await decideAll([Int]()) { _ in
            Issue.record("asked")
            return []
        }
        #expect(outcomes.isEmpty)
    }

    @Test("it gives up after a few rounds")
    func stillUndecided() async {
        var rounds = 0
        await #expect(throws: StillUndecided.self) {
            _ = try await decideAll([1, 2], rounds: 3) { items -> [Int?] in
                rounds += 1
                return items.map { $0 == 1 ? 1 : nil }
            }
        }
        #expect(rounds == 3)
    }
}
