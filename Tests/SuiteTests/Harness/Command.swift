import Base
import Foundation

/// A program run to its end.
enum Command {
    struct Failed: Error, CustomStringConvertible {
        let description: String
    }

    /// Its standard output; throws when it fails, with all it said.
    @discardableResult
    static func run(_ path: String, _ arguments: [String]) async throws -> String {
        let (code, output, errors) = try await withCheckedThrowingContinuation {
            (done: CheckedContinuation<(Int32, String, String), any Error>) in
            DedicatedThread.start(name: "command") {
                done.resume(with: Result { try runBlocking(path, arguments) })
            }
        }
        guard code == 0 else {
            throw Failed(
                description: "\(path) \(arguments.joined(separator: " ")): exit code \(code)\n\(output)\(errors)")
        }
        return output
    }

    private static func runBlocking(_ path: String, _ arguments: [String]) throws -> (Int32, String, String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        // Files, not pipes: nothing has to be emptied while it runs.
        let folder = FileManager.default.temporaryDirectory.appending(path: "settle-command-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { remove(folder) }
        let (output, errors) = (folder.appending(path: "output"), folder.appending(path: "errors"))
        process.standardOutput = try FileHandle(creating: output)
        process.standardError = try FileHandle(creating: errors)
        try process.run()
        process.waitUntilExit()
        return (
            process.terminationStatus, try String(contentsOf: output, encoding: .utf8),
            try String(contentsOf: errors, encoding: .utf8)
        )
    }

    private static func remove(_ folder: URL) {
        // A folder left behind in the temporary directory harms nobody.
        try? FileManager.default.removeItem(at: folder)
    }
}

extension FileHandle {
    /// For writing, to a new and empty file.
    convenience init(creating file: URL) throws {
        guard FileManager.default.createFile(atPath: file.path, contents: nil) else {
            throw CocoaError(.fileWriteUnknown)
        }
        try self.init(forWritingTo: file)
    }
}
