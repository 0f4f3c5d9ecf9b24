package import Logging
import Synchronization

/// Keeps what was logged, as text: the level, the message and the metadata.
package final class LogCollector: Sendable {
    private let collected = Mutex<[String]>([])

    package init() {}

    package var lines: [String] { collected.withLock { $0 } }
    package var handler: Handler { Handler(collector: self) }
    package var logger: Logger { Logger(label: "test") { _ in self.handler } }

    package struct Handler: LogHandler {
        fileprivate let collector: LogCollector
        package var metadata: Logger.Metadata = [:]
        package var logLevel: Logger.Level = .trace

        package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        package func log(event: LogEvent) {
            let values = metadata.merging(event.metadata ?? [:]) { $1 }.map { "\($0)=\($1)" }.sorted()
            let line = "\(event.level) \(event.message) \(values.joined(separator: " "))"
            collector.collected.withLock { $0.append(line) }
        }
    }
}
