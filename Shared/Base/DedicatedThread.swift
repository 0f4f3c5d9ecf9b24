import Foundation

/// A thread of its own for calls that block.
///
/// Swift's cooperative pool has one thread per core: a blocking C call on it stops every task of the process.
public enum DedicatedThread {
    /// Starts `body` on a new thread called `name` (Linux shows the first 15 characters) and returns at once.
    public static func start(name: String, _ body: @escaping @Sendable () -> Void) {
        let thread = Thread(block: body)
        thread.name = name
        thread.start()
    }
}
