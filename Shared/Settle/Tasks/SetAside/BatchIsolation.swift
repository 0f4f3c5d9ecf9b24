import SettleCore
import Logging
import SettlePostgres

/// Does a batch of messages so that none of them holds up its neighbours.
///
/// All at once; and should that fail, without those whose rows are held, which a look that never waits finds out; and should
/// it fail still, one by one, for a limited time. A held row so costs its neighbours one short wait for a lock, and
/// while it is known to be held none at all.
struct BatchIsolation<Item: Sendable> {
    /// The rows that handling an item locks, by names of the receiver's own; may be empty.
    let rows: (Item) -> [ByteKey]
    /// Which rows are held now; does not wait for them.
    let held: (Set<ByteKey>) async throws -> Set<ByteKey>
    let memory: HeldRows
    /// Whether the items were set aside before: then they are tried although their rows were held a moment ago, but not
    /// before a look.
    let isRetry: Bool
    /// How long items are tried one by one.
    var patience = Duration.milliseconds(500)
    let logger: Logger

    typealias Failure = (item: Item, fate: Leftover.Fate, reason: String)

    private static var heldReason: String { "a row that it needs is held by another transaction" }
    /// Looks for held rows after failures; more are no use against rows that nobody names.
    private static var looks: Int { 3 }
    private static var glances: Int { 4 }

    /// Returns those that were not done; throws when the whole batch must be tried again.
    func run(_ items: [Item], perform: ([Item]) async throws -> Void) async throws -> [Failure] {
        var failures: [Failure] = []
        var open = items
        if isRetry {
            try await setAsideHeld(&open, &failures, glances: Self.glances)
        } else if !memory.isEmpty() {
            setAside(&open, &failures) { memory.contains(anyOf: rows($0)) }
        }
        for look in 0...Self.looks where !open.isEmpty {
            do {
                try await perform(open)
                return failures
            } catch {
                let blame = Blame(error)
                if blame == .nobody { throw error }
                log(error, blame, open.count)
                guard blame == .heldRow, look < Self.looks else {
                    if open.count == 1 { return failures + [failure(of: open[0], blame)] }
                    break
                }
                let before = open.count
                try await setAsideHeld(&open, &failures)
                if open.count == 1, before == 1 { return failures + [failure(of: open[0], blame)] }
                // Nobody else is seen to hold a row. A guard's refusal took no time, and that row may be free by now; but
                // to wait for a lock once more is too much.
                if open.count == before, (error as? PostgresError)?.isLockTimeout ?? false { break }
            }
        }
        return failures + (try await oneByOne(open, perform))
    }

    private func oneByOne(_ items: [Item], _ perform: ([Item]) async throws -> Void) async throws -> [Failure] {
        var failures: [Failure] = []
        var waited: Set<ByteKey> = []
        let deadline = ContinuousClock.now + patience
        for (number, item) in items.enumerated() {
            let rows = rows(item)
            if rows.contains(where: waited.contains) {
                failures.append(failure(of: item, .heldRow))
                continue
            }
            // The first is tried in any case, so that no round is for nothing.
            guard number == 0 || .now < deadline else {
                failures.append((item, .untried, "its batch met others that failed"))
                continue
            }
            do {
                try await perform([item])
            } catch {
                let blame = Blame(error)
                if blame == .nobody { throw error }
                log(error, blame, 1)
                failures.append(failure(of: item, blame))
                // It waited for this row, if there is but one; the guard's refusal takes no time.
                if rows.count == 1, (error as? PostgresError)?.isLockTimeout ?? false { waited.formUnion(rows) }
            }
        }
        memory.note(waited)
        return failures
    }

    private func failure(of item: Item, _ blame: Blame) -> Failure {
        switch blame {
        case .nobody, .heldRow: (item, .held, Self.heldReason)
        case .content(let reason): (item, .dead, reason)
        case .unknown(let reason): (item, .failed, reason)
        }
    }

    /// - Parameter glances: how often it looks again, shortly, until one of the held rows is free: a popular row never is for
    ///   long, and who looks but once never has it.
    private func setAsideHeld(_ open: inout [Item], _ failures: inout [Failure], glances: Int = 0) async throws {
        var held = try await lookForHeld(Set(open.flatMap(rows)))
        memory.note(held)
        for _ in 0..<glances where !held.isEmpty {
            try await Task.sleep(for: .milliseconds(2))
            let still = try await lookForHeld(held)
            if still.count < held.count {
                held = still
                break
            }
        }
        setAside(&open, &failures) { rows($0).contains(where: held.contains) }
    }

    private func lookForHeld(_ rows: Set<ByteKey>) async throws -> Set<ByteKey> {
        do {
            return rows.isEmpty ? [] : try await held(rows)
        } catch  where Blame(error) != .nobody {
            // Without the look it takes longer to find out, that is all.
            logger.warning("could not look for held rows", metadata: ["error": "\(error)"])
            return []
        }
    }

    private func setAside(_ open: inout [Item], _ failures: inout [Failure], where isHeld: (Item) -> Bool) {
        failures += open.filter(isHeld).map { failure(of: $0, .heldRow) }
        open.removeAll(where: isHeld)
    }

    /// Held rows are the order of the day.
    private func log(_ error: any Error, _ blame: Blame, _ count: Int) {
        logger.log(
            level: blame == .heldRow ? .debug : .warning, "a batch failed for what is in it",
            metadata: ["messages": "\(count)", "error": "\(error)"])
    }
}
