import Foundation
import Synchronization

/// Lets another thread break a connection whose own thread is stuck in a write.
///
/// It owns a duplicate of the socket's descriptor, so that the number cannot come to mean another file while the
/// library closes its own.
final class SocketBreaker: Sendable {
    private struct State {
        var descriptor: Int32?
        /// When the write in progress becomes too late.
        var deadline: ContinuousClock.Instant?
    }

    private let state = Mutex(State())

    /// Takes the socket over; false when the process has no descriptor left.
    func open(socket: Int32) -> Int32? {
        let copy = fcntl(socket, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { return nil }
        state.withLock { $0.descriptor = copy }
        return copy
    }

    func close() {
        state.withLock { state in
            if let descriptor = state.descriptor { _ = Foundation.close(descriptor) }
            state = State()
        }
    }

    func writing(until deadline: ContinuousClock.Instant) {
        state.withLock { $0.deadline = deadline }
    }

    func written() {
        state.withLock { $0.deadline = nil }
    }

    /// Ends the connection when a write is late at `now`: the blocked call then returns an error.
    func breakIfLate(at now: ContinuousClock.Instant) {
        state.withLock { state in
            guard let deadline = state.deadline, deadline <= now else { return }
            Self.shutDown(state.descriptor)
        }
    }

    /// Ends the connection, whatever it does.
    func breakNow() {
        state.withLock { Self.shutDown($0.descriptor) }
    }

    private static func shutDown(_ descriptor: Int32?) {
        // It fails only on a socket that is down already.
        if let descriptor { _ = shutdown(descriptor, Int32(SHUT_RDWR)) }
    }
}
