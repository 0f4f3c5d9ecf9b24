import SettleCore
import CSettleLibpq
import Dispatch

/// Asks the server to stop what one connection does. Without it a server that is given up works on, and holds its locks,
/// until it has something to say.
///
/// libpq's call blocks, and up to version 16 has no limit of its own, so it is made on a thread that lives as long as that
/// takes; a connection has one at a time.
///
/// `@unchecked Sendable`: a `PGcancel` is never changed once made and may be used from any thread (PostgreSQL
/// documentation, 34.7); `deinit` frees it when neither thread uses it any more.
@safe
final class CancelRequest: @unchecked Sendable {
    private let handle: OpaquePointer

    /// - Parameter connection: an open one; `nil` when libpq has no memory, or the server gave no key for it.
    init?(of connection: OpaquePointer?) {
        guard let handle = unsafe PQgetCancel(connection) else { return nil }
        unsafe self.handle = handle
    }

    deinit {
        unsafe PQfreeCancel(handle)
    }

    /// Answers whether the server has taken the request by then: it has been carried out when this returns, and hits
    /// nothing that is sent later.
    func send(within limit: DispatchTimeInterval) -> Bool {
        let done = DispatchSemaphore(value: 0)
        DedicatedThread.start(name: "postgres-cancel") {
            // Whether it could be sent: if not, the caller sees no answer and gives the connection up.
            var message = [CChar](repeating: 0, count: 256)
            _ = unsafe PQcancel(self.handle, &message, Int32(message.count))
            done.signal()
        }
        return done.wait(timeout: .now() + limit) == .success
    }
}
