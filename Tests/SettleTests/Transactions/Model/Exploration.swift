@testable import Settle

/// Every world that any sequence of events leads to, found breadth first, so the way to each is the shortest.
struct Exploration: Sendable {
    /// A sequence of events and what is wrong after it.
    struct Finding: Sendable, CustomStringConvertible {
        let events: [Event]
        let violation: String
        var description: String { "\(violation) after: \(events.map(\.description).joined(separator: "; "))" }
    }

    private(set) var worlds = 0
    private(set) var steps = 0
    /// So many events lead to any world at most; longer sequences only come to known ones.
    private(set) var depth = 0
    private(set) var finding: Finding?

    init(participants: [Bool], rules: Rules = Rules()) {
        let events = Event.all(participants: participants.count)
        var parents: [World: (world: World, event: Event)] = [:]
        let start = World(branches: participants.map { World.Branch(isXA: $0) })
        var known: Set<World> = [start]
        var front = [start]

        func way(to world: World, _ last: [Event]) -> [Event] {
            var events = last
            var world = world
            while let parent = parents[world] {
                events.insert(parent.event, at: 0)
                world = parent.world
            }
            return events
        }

        while !front.isEmpty {
            var next: [World] = []
            for world in front {
                if let violation = Self.violation(atTheEndOf: world, rules) {
                    finding = Finding(events: way(to: world, []), violation: violation + ", when all is well again")
                    return
                }
                for event in events {
                    guard let after = world.after(event, rules) else { continue }
                    steps += 1
                    if let violation = after.violation ?? Self.change(from: world, to: after) {
                        finding = Finding(events: way(to: world, [event]), violation: violation)
                        return
                    }
                    guard known.insert(after).inserted else { continue }
                    parents[after] = (world, event)
                    next.append(after)
                }
            }
            front = next
            if !front.isEmpty { depth += 1 }
        }
        worlds = known.count
    }

    private static func change(from before: World, to after: World) -> String? {
        if let decision = before.decision, after.decision != decision { return "a decision changed its mind" }
        for (one, other) in zip(before.branches, after.branches) {
            if one.row == .committed, other.row != .committed { return "a committed part changed its mind" }
            if one.row == .rolledBack, other.row != .rolledBack { return "a part that was over began again" }
        }
        return nil
    }

    /// Everybody is started again, the database has ended what was open, and participants check back: all must follow
    /// the decision then, even when every request arrives once more.
    private static func violation(atTheEndOf world: World, _ rules: Rules) -> String? {
        for commits in [true, false] {
            var end = world
            func happen(_ event: Event) { end = end.after(event, rules) ?? end }
            happen(.restartInitiator)
            for n in end.branches.indices { happen(.restart(n)) }
            happen(commits ? .commitDecision(wordArrives: true) : .loseDecision)
            for _ in 1...2 {
                for n in end.branches.indices {
                    happen(.checkBack(n, answerArrives: true))
                    if let violation = end.violation { return violation }
                }
                if let violation = end.endViolation { return violation }
                for n in end.branches.indices { happen(.request(n, answerArrives: false)) }
            }
        }
        return nil
    }
}
