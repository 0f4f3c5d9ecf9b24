import Settle
import SettlePostgres

// Lost connections, and two receivers at once.
extension ApplierTrial {
    /// - Returns: false when `apply` makes fewer commits.
    func lost(_ task: Received, at moment: LossOnDemand.Moment, ofCommit commit: Int) async throws -> Bool {
        let isBefore = moment == .beforeCommit
        let rule = isBefore ? BrokenRule.Rule.lostBeforeCommit : .lostAfterCommit
        let place = "the connection was lost \(isBefore ? "before" : "after") commit \(commit)"
        let before = try await look()
        commits.lose(at: moment, ofCommit: commit)
        var said: TaskOutcome?
        do {
            said = try await applyAll([task])[0]
        } catch let broken as BrokenRule {
            throw broken
        } catch {
            // A receiver tries again.
        }
        guard commits.reset() else { return false }
        let middle = try await look()
        let isDone = middle != before
        if isDone, await !shapes.known.contains(middle.shape(since: before)) {
            throw BrokenRule(rule, "\(place), and a part of the task stayed:\n  \(middle.difference(from: before))")
        }
        if let said, !isDone || !(said.isDone || said.isDuplicate(of: nil)) {
            throw BrokenRule(rule, "\(place), and all the same `apply` says: \(said)")
        }
        let again = try await apply(task, rule, "\(place); the next try")
        if isDone {
            guard again.isDuplicate(of: said) else {
                throw BrokenRule(
                    rule, "\(place); the task was done, and when it comes again it is said to be: \(again)")
            }
            try await expectUnchanged(rule, "\(place); the task was done, and was done again", since: middle)
        } else {
            guard again.isDone else {
                throw BrokenRule(
                    rule, "\(place); nothing of the task stayed, and when it comes again it is said to be: \(again)")
            }
            let after = try await look()
            guard await shapes.known.contains(after.shape(since: before)) else {
                throw BrokenRule(
                    rule, "\(place); the next try did only a part of the task:\n  \(after.difference(from: before))")
            }
            try await expectDuplicate(task, of: again, rule, "\(place); a copy after the next try", since: after)
        }
        return true
    }

    /// One receiver stands still before a commit while another one does the same task.
    ///
    /// - Returns: false when `apply` makes fewer commits.
    func atOnce(_ task: Received, pausedAtCommit commit: Int) async throws -> Bool {
        let before = try await look()
        commits.pause(atCommit: commit)
        async let one = first(task)
        guard await commits.isPaused() else {
            _ = await one
            _ = commits.reset()
            return false
        }
        let other = await whilePaused(task)
        let attempts = [await one, other]
        _ = commits.reset()
        for case .failure(let error) in attempts {
            if case .content(let reason) = Blame(error) {
                throw BrokenRule(
                    .atOnce, "at two receivers at once one fails as if the message were bad (\(reason)): \(error)")
            }
        }
        let outcomes = attempts.compactMap { try? $0.get() }
        guard outcomes.count(where: \.isDone) <= 1 else {
            throw BrokenRule(.atOnce, "two receivers that had a task at the same moment both applied it")
        }
        let again = try await apply(task, .atOnce, "a copy after two receivers had a task at once")
        let isDone = outcomes.contains(where: \.isDone)
        guard isDone ? again.isDuplicate(of: nil) : again.isDone else {
            throw BrokenRule(.atOnce, "after two receivers at once said \(outcomes), a copy is said to be: \(again)")
        }
        let after = try await look()
        guard await shapes.known.contains(after.shape(since: before)) else {
            throw BrokenRule(
                .atOnce, "two receivers at once did not do it once:\n  \(after.difference(from: before))")
        }
        return true
    }

    /// Does the task while a commit stands still; that goes on when this is done, or has to wait for it.
    private func whilePaused(_ task: Received) async -> Result<TaskOutcome, any Error> {
        await withTaskGroup { group in
            group.addTask { [self] in
                while !Task.isCancelled, await !isAnybodyBlocked() {
                    // Throws on cancellation only, and then the loop ends.
                    try? await Task.sleep(for: .milliseconds(5))
                }
                commits.goOn()
            }
            let result = await attempt(task)
            group.cancelAll()
            return result
        }
    }

    private func isAnybodyBlocked() async -> Bool {
        let rows = try? await database.query(
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
        return rows.map { !$0.isEmpty } ?? true
    }

    private func first(_ task: Received) async -> Result<TaskOutcome, any Error> {
        defer { commits.ended() }
        return await attempt(task)
    }

    private func attempt(_ task: Received) async -> Result<TaskOutcome, any Error> {
        do { return .success(try await applyAll([task])[0]) } catch { return .failure(error) }
    }
}
