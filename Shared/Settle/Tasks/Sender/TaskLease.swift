/// A task as it was when this process got it to send.
///
/// Whoever claims, postpones, refuses or retries a task gives it another due time; so the due time of the row says
/// whether the task is still as it was sent, whichever process asks.
package struct TaskLease: Sendable, Hashable {
    package let id: Int64
    /// `due_time`, in microseconds since 1970, which is exact.
    package let due: Int64

    package init(id: Int64, due: Int64) {
        self.id = id
        self.due = due
    }

    /// The column that `due` is read from, and compared with.
    static let column = "(extract(epoch FROM task.due_time) * 1000000)::bigint"
}
