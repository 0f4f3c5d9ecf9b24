import Foundation
import Synchronization

/// Wakes a thread out of `poll`: a pipe rather than an eventfd, so that it works beyond Linux.
final class WakePipe: Sendable {
    /// To poll for input.
    let reader: Int32
    private let writer: Int32
    private let isSignalled = Atomic(false)

    init() throws(AMQPError) {
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else { throw .library(AMQPError.systemText(), during: "making a pipe") }
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        reader = ends[0]
        writer = ends[1]
    }

    deinit {
        close(reader)
        close(writer)
    }

    /// Makes the next `poll`, or the one under way, return.
    func signal() {
        guard !isSignalled.exchange(true, ordering: .acquiringAndReleasing) else { return }
        var byte: UInt8 = 1
        // A full pipe wakes the reader just as well.
        _ = unsafe write(writer, &byte, 1)
    }

    /// Before looking at what the signal was about: a signal after this call wakes the next `poll`.
    func clear() {
        var bytes: [UInt8] = Array(repeating: 0, count: 16)
        while unsafe read(reader, &bytes, bytes.count) == bytes.count {}
        _ = isSignalled.exchange(false, ordering: .acquiringAndReleasing)
    }
}
