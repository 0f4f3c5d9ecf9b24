import SettleCore
package import Foundation
import Synchronization

/// A child process.
///
/// Foundation's `Process` sees the end of a child by a socket that the child's own children inherit: of a script that
/// leaves a server behind it never sees the end. So this one is started with `posix_spawn`, with no descriptors but
/// its own three, and a thread waits for it.
package final class Child: Sendable {
    /// How a process ended.
    package enum Exit: Equatable, Sendable {
        case code(Int32)
        case signal(Int32)
    }

    package struct NotStarted: Error, CustomStringConvertible {
        package let path: String
        package let code: Int32
        package var description: String { "\(path) could not be started: error \(code)" }
    }

    package let pid: pid_t
    private let exitState = Mutex<Exit?>(nil)

    /// - Parameters:
    ///   - input: a descriptor to read from; nothing when nil.
    ///   - output: the file that what it writes is appended to.
    ///   - errors: the same for what it writes to standard error.
    package init(
        _ path: String, _ arguments: [String] = [],
        environment: [String: String] = ProcessInfo.processInfo.environment,
        input: Int32? = nil, output: URL, errors: URL
    ) throws {
        #if canImport(Darwin)
            var actions: posix_spawn_file_actions_t?
            var attributes: posix_spawnattr_t?
        #else
            var actions = unsafe posix_spawn_file_actions_t()
            var attributes = posix_spawnattr_t()
        #endif
        // Every pointer below lives until the call that takes it returns: `posix_spawn` copies what it is given, and
        // the actions are destroyed after it.
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        // The threads of the cooperative pool block all signals, and a child would inherit that: a server that could
        // not be told to stop.
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe posix_spawnattr_setsigmask(&attributes, &signals)
        unsafe sigfillset(&signals)
        unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        if let input {
            unsafe posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        let flags = O_WRONLY | O_CREAT | O_APPEND
        unsafe posix_spawn_file_actions_addopen(&actions, 1, output.path, flags, 0o600)
        unsafe posix_spawn_file_actions_addopen(&actions, 2, errors.path, flags, 0o600)
        for descriptor in try Self.openDescriptors where descriptor > 2 {
            unsafe posix_spawn_file_actions_addclose(&actions, descriptor)
        }
        var pid: pid_t = 0
        let code = unsafe withStrings([path] + arguments) { arguments in
            unsafe withStrings(environment.map { "\($0)=\($1)" }) { environment in
                unsafe posix_spawn(&pid, path, &actions, &attributes, arguments, environment)
            }
        }
        guard code == 0 else { throw NotStarted(path: path, code: code) }
        self.pid = pid
        DedicatedThread.start(name: "child") { [self] in
            let exit = Self.wait(for: self.pid)
            exitState.withLock { $0 = exit }
        }
    }

    /// Those of now: what other threads open meanwhile is opened close-on-exec by those who open it.
    private static var openDescriptors: [Int32] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: "/dev/fd").compactMap { Int32($0) } }
    }

    package var exit: Exit? { exitState.withLock { $0 } }

    /// Nothing once it has ended.
    package func signal(_ signal: Int32) {
        // Until its exit is known the number is still its own: nobody else waits for it.
        if exit == nil { kill(pid, signal) }
    }

    private static func wait(for pid: pid_t) -> Exit {
        var status: Int32 = 0
        // A local integer, written by the call.
        while unsafe waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        // The layout of a status as Linux and macOS have it, whose macros Swift does not import.
        let signal = status & 0x7f
        return signal == 0 ? .code((status >> 8) & 0xff) : .signal(signal)
    }
}

/// Lends C strings, with the NULL at the end that `exec` expects, for the time of `body`.
private func withStrings<Result>(
    _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    var pointers = unsafe strings.map { unsafe strdup($0) } + [nil]
    // Each was allocated by strdup just now and is freed once, after its last use.
    defer { unsafe pointers.forEach { unsafe free($0) } }
    return unsafe pointers.withUnsafeMutableBufferPointer { buffer in
        guard let base = buffer.baseAddress else { preconditionFailure("the array holds at least the NULL") }
        return unsafe body(base)
    }
}
