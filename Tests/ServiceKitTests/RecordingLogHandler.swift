import Logging
import Synchronization

/// Keeps what is logged, for a test to look at.
struct RecordingLogHandler: LogHandler {
    final class Lines: Sendable {
        private let lines = Mutex<[String]>([])

        var all: [String] { lines.withLock { $0 } }

        fileprivate func add(_ line: String) { lines.withLock { $0.append(line) } }
    }

    var logLevel = Logger.Level.trace
    var metadata: Logger.Metadata = [:]
    private let lines: Lines

    private init(_ lines: Lines) { self.lines = lines }

    static func make() -> (RecordingLogHandler, Lines) {
        let lines = Lines()
        return (RecordingLogHandler(lines), lines)
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let values = metadata.merging(event.metadata ?? [:]) { $1 }.map { "\($0)=\($1)" }
        lines.add("\(event.level) \(event.message) \(values.joined(separator: " "))")
    }
}
