import Foundation

/// A program run to its end.
package enum Command {
    package struct Failed: Error, CustomStringConvertible {
        package let description: String
    }

    /// Its standard output; throws when it fails, with all it said.
    @discardableResult
    package static func run(
        _ path: String, _ arguments: [String],
        environment: [String: String] = ProcessInfo.processInfo.environment, within limit: Duration = .seconds(150)
    ) async throws -> String {
        // Files, not pipes: nothing has to be emptied while it runs.
        let folder = FileManager.default.temporaryDirectory.appending(path: "settle-command-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        // A folder left behind in the temporary directory harms nobody.
        defer { try? FileManager.default.removeItem(at: folder) }
        let (output, errors) = (folder.appending(path: "output"), folder.appending(path: "errors"))
        let child = try Child(path, arguments, environment: environment, output: output, errors: errors)
        do {
            try await eventually("\(path) \(arguments) ends", within: limit, every: .milliseconds(10)) {
                child.exit != nil
            }
        } catch {
            child.signal(SIGKILL)
            throw error
        }
        let text = try String(contentsOf: output, encoding: .utf8)
        guard child.exit == .code(0) else {
            throw Failed(
                description: """
                    \(path) \(arguments.joined(separator: " ")): \(child.exit.map { "\($0)" } ?? "")
                    \(text)\(try String(contentsOf: errors, encoding: .utf8))
                    """)
        }
        return text
    }
}
