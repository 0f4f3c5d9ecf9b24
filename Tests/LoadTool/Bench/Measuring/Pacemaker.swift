import Foundation
import SettleCore
import SettleTestSupport

/// Makes a descriptor readable at fixed times: `poll` by itself only knows milliseconds.
final class Pacemaker {
    struct NoDescriptors: Error {}

    /// Has a byte to read from each of the times on.
    let descriptor: Int32

    /// Begins at once.
    ///
    /// - Parameters:
    ///   - count: how many times.
    ///   - perSecond: how often.
    init(_ count: Int, perSecond: Int) throws {
        guard let (reader, writer) = Socket.pair() else { throw NoDescriptors() }
        descriptor = reader
        let begin = ContinuousClock.now
        DedicatedThread.start(name: "pace") {
            for number in 0..<count {
                let rest = begin + .seconds(1) * number / perSecond - .now
                if rest > .zero { Thread.sleep(forTimeInterval: rest / .seconds(1)) }
                // Nobody listens any more.
                if Socket.send(writer, [1]) <= 0 { break }
            }
            close(writer)
        }
    }

    deinit { close(descriptor) }
}
