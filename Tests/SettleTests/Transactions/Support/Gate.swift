import Foundation
import SettleTestSupport

/// Holds a database thread inside its transaction until a test lets it go on.
///
/// `@unchecked Sendable`: all of it is read and written between `lock` and `unlock` of the condition.
final class Gate: @unchecked Sendable {
    private let condition = NSCondition()
    private var isReached = false
    private var isOpen = false

    /// Blocks the thread, for ten seconds at most.
    func pass() {
        condition.lock()
        defer { condition.unlock() }
        isReached = true
        let limit = Date(timeIntervalSinceNow: 10)
        while !isOpen, condition.wait(until: limit) {}
    }

    func open() {
        condition.lock()
        defer { condition.unlock() }
        isOpen = true
        condition.broadcast()
    }

    private var hasBeenReached: Bool {
        condition.lock()
        defer { condition.unlock() }
        return isReached
    }

    /// Returns when a thread waits here.
    func reached() async throws {
        try await eventually { self.hasBeenReached }
    }
}
