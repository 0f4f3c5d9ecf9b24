import Foundation
import Synchronization

/// Ends the services when this process ends before them, however it ends: a test run that is killed leaves nothing
/// behind.
///
/// A shell holds the reading end of a pipe and the ids of what runs; the end of the pipe is the end of us.
final class Watchdog: Sendable {
    static let shared = Result { try Watchdog() }

    private let input: Mutex<FileHandle>
    private let shell: Process

    private init() throws {
        let pipe = Pipe()
        shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/bash")
        shell.arguments = [
            "-c",
            """
            declare -A running
            while read -r sign pid; do
                if [[ "$sign" == + ]]; then running[$pid]=1; else unset "running[$pid]"; fi
            done
            for pid in "${!running[@]}"; do kill -KILL "$pid"; done
            """,
        ]
        shell.standardInput = pipe
        input = Mutex(pipe.fileHandleForWriting)
        try shell.run()
    }

    func started(_ pid: Int32) throws { try write("+ \(pid)\n") }
    func ended(_ pid: Int32) throws { try write("- \(pid)\n") }

    private func write(_ line: String) throws {
        try input.withLock { try $0.write(contentsOf: Data(line.utf8)) }
    }
}
