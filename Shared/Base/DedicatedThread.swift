import Foundation

/// A thread of its own for calls that block.
///
/// Swift's cooperative pool has one thread per core: a blocking C call on it stops every task of the process.
public enum DedicatedThread {
    /// Starts `body` on a new thread called `name` (Linux shows the first 15 characters) and returns at once.
    public static func start(name: String, _ body: @escaping @Sendable () -> Void) {
        let thread = Thread {
            // Set before the start it would have no effect on Linux; set here it has one most of the time, which is
            // good enough for what only people read.
            Thread.current.name = name
            body()
        }
        thread.start()
    }
}
