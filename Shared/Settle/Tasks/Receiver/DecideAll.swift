/// Asks `decide` about `items` until each has an outcome.
///
/// A statement cannot see what another process committed while it ran (an insert met a conflict that its snapshot does
/// not show); the next one can. So nil is an answer, but not for long.
///
/// - Throws: `StillUndecided` after a few rounds, or what `decide` throws.
public func decideAll<Item, Outcome>(
    _ items: [Item], rounds: Int = 5, decide: ([Item]) async throws -> [Outcome?]
) async throws -> [Outcome] {
    var outcomes = [Outcome?](repeating: nil, count: items.count)
    var open = Array(items.indices)
    for _ in 0..<rounds where !open.isEmpty {
        for (index, outcome) in zip(open, try await decide(open.map { items[$0] })) { outcomes[index] = outcome }
        open.removeAll { outcomes[$0] != nil }
    }
    let decided = outcomes.compactMap(\.self)
    guard decided.count == items.count else { throw StillUndecided(count: open.count) }
    return decided
}

/// Asks one step after the other, each about what those before it have left open.
///
/// So the statement that nearly always decides all of a batch need not find out, too, what is the matter with the others.
public func decideInTurn<Item, Outcome>(
    _ items: [Item], _ steps: [([Item]) async throws -> [Outcome?]]
) async throws -> [Outcome?] {
    var outcomes = [Outcome?](repeating: nil, count: items.count)
    for step in steps {
        let open = items.indices.filter { outcomes[$0] == nil }
        if open.isEmpty { break }
        for (index, outcome) in zip(open, try await step(open.map { items[$0] })) { outcomes[index] = outcome }
    }
    return outcomes
}

/// Other processes kept deciding the same items at the same moment.
public struct StillUndecided: Error, CustomStringConvertible {
    let count: Int
    /// For an operator.
    public var description: String { "\(count) items are still undecided; trying again" }
}
