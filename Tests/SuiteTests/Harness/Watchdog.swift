import Foundation
import SettleTestSupport
import Synchronization

/// Ends the services when this process ends before them, however it ends: a test run that is killed leaves nothing
/// behind.
///
/// A shell holds the reading end of a pipe and the ids of what runs; the end of the pipe is the end of us.
final class Watchdog: Sendable {
    static let shared = Result { try Watchdog() }

    private let input: Mutex<FileHandle>
    private let shell: Child

    private init() throws {
        let pipe = Pipe()
        let nowhere = URL(fileURLWithPath: "/dev/null")
        shell = try Child(
            "/bin/bash",
            [
                "-c",
                """
                declare -A running
                while read -r sign pid; do
                    if [[ "$sign" == + ]]; then running[$pid]=1; else unset "running[$pid]"; fi
                done
                for pid in "${!running[@]}"; do kill -KILL "$pid"; done
                """,
            ], input: pipe.fileHandleForReading.fileDescriptor, output: nowhere, errors: nowhere)
        input = Mutex(pipe.fileHandleForWriting)
    }

    func started(_ pid: pid_t) throws { try write("+ \(pid)\n") }
    func ended(_ pid: pid_t) throws { try write("- \(pid)\n") }

    private func write(_ line: String) throws {
        try input.withLock { try $0.write(contentsOf: Data(line.utf8)) }
    }
}
