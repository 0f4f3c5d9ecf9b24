import Foundation
import Synchronization

/// Lets another thread break a connection whose own thread is stuck in a write.
///
/// It owns a duplicate of the socket's descriptor, so that the number cannot come to mean another file while the
/// library closes its own.
package final class SocketBreaker: Sendable {
    private struct State {
        var descriptor: Int32?
        /// When the write in progress becomes too late.
        var deadline: ContinuousClock.Instant?
        /// When the shutdown is over.
        var endBy: ContinuousClock.Instant?
    }

    private let state = Mutex(State())

    package init() {}

    /// Takes the socket in; returns the duplicate, or nil when the process has no descriptor left.
    func open(socket: Int32) -> Int32? {
        let copy = fcntl(socket, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { return nil }
        state.withLock { $0.descriptor = copy }
        return copy
    }

    func close() {
        state.withLock { state in
            if let descriptor = state.descriptor { _ = Foundation.close(descriptor) }
            (state.descriptor, state.deadline) = (nil, nil)
        }
    }

    func writing(until deadline: ContinuousClock.Instant) {
        state.withLock { $0.deadline = deadline }
    }

    func written() {
        state.withLock { $0.deadline = nil }
    }

    /// Ends every connection from `time` on.
    func end(by time: ContinuousClock.Instant) {
        state.withLock { $0.endBy = time }
        breakIfLate(at: .now)
    }

    /// Ends the connection when a write is late at `now`, or the shutdown: the blocked call then returns an error.
    func breakIfLate(at now: ContinuousClock.Instant) {
        state.withLock { state in
            let isLate = [state.deadline, state.endBy].contains { $0.map { $0 <= now } ?? false }
            guard isLate, let descriptor = state.descriptor else { return }
            // It fails only on a socket that is down already.
            _ = shutdown(descriptor, Int32(SHUT_RDWR))
        }
    }
}
