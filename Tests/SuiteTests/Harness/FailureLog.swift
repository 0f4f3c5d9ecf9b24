import Synchronization
import Testing

/// Adds to the first failure of a test what the services wrote, for they run elsewhere.
///
/// One at a time suffices: the suites run one after the other.
enum FailureLog {
    private struct State {
        var describe: (@Sendable () -> String)?
        var isTold = false
    }

    private static let state = Mutex(State())

    static var current: (@Sendable () -> String)? {
        get { state.withLock { $0.describe } }
        set { state.withLock { $0 = State(describe: newValue) } }
    }

    /// Whether the current test has failed so far.
    static var hasFailed: Bool { state.withLock { $0.isTold } }

    /// Called for each issue that is recorded.
    static let trait = IssueHandlingTrait.compactMapIssues { issue in
        let describe = state.withLock { state in
            defer { state.isTold = true }
            return state.isTold ? nil : state.describe
        }
        guard let describe else { return issue }
        var issue = issue
        issue.comments.append(Comment(rawValue: describe()))
        return issue
    }
}
