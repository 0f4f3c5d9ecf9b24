import Foundation
import Synchronization

/// Lines of this process; whole ones, whoever writes at the same time.
enum StandardError {
    private static let turn = Mutex(())

    /// - Parameter line: without its line feed.
    static func write(_ line: String) {
        turn.withLock { _ in
            // Nobody is left to be told of an error here.
            try? FileHandle.standardError.write(contentsOf: Data("\(line)\n".utf8))
        }
    }
}
