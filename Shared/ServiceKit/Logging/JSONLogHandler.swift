import Foundation
import Logging

/// One JSON object a line: `time` (RFC 3339, UTC, milliseconds), `level`, `service`, `message`, `logger` where it is another
/// than the service, and each value beside the message under its own name; one that is called like a field of these gets an
/// underscore before it.
struct JSONLogHandler: LogHandler {
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    private let service: String
    private let label: String
    private let now: @Sendable () -> Date
    private let write: @Sendable (String) -> Void

    /// - Parameters:
    ///   - service: the process.
    ///   - label: the logger's.
    ///   - level: the least severe that is written.
    ///   - provider: adds values of the current task.
    ///   - now: the clock.
    ///   - write: takes a line, without its line feed.
    init(
        service: String, label: String, level: Logger.Level, provider: Logger.MetadataProvider?,
        now: @escaping @Sendable () -> Date = { Date() }, write: @escaping @Sendable (String) -> Void
    ) {
        self.service = service
        self.label = label
        self.now = now
        self.write = write
        logLevel = level
        metadataProvider = provider
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var values = metadata
        if let provided = metadataProvider?.get() { values.merge(provided) { $1 } }
        if let given = event.metadata { values.merge(given) { $1 } }
        var line = "{\"time\":\"\(Self.time(now()))\",\"level\":\"\(event.level.rawValue)\",\"service\":"
        Self.append(service, to: &line)
        line += ",\"message\":"
        Self.append(event.message.description, to: &line)
        if label != service {
            line += ",\"logger\":"
            Self.append(label, to: &line)
        }
        for (name, value) in values.sorted(by: { $0.key < $1.key }) {
            line += ","
            Self.append(Self.fields.contains(name) ? "_" + name : name, to: &line)
            line += ":"
            Self.append(value, to: &line)
        }
        write(line + "}")
    }

    private static let fields: Set<String> = ["time", "level", "service", "message", "logger"]  // ours

    private static func time(_ date: Date) -> String {
        date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }

    private static func append(_ value: Logger.Metadata.Value, to line: inout String) {
        switch value {
        case .string(let text): append(text, to: &line)
        case .stringConvertible(let value): append(value.description, to: &line)
        case .array(let values):
            line += "["
            for (index, value) in values.enumerated() {
                if index > 0 { line += "," }
                append(value, to: &line)
            }
            line += "]"
        case .dictionary(let values):
            line += "{"
            for (index, (name, value)) in values.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { line += "," }
                append(name, to: &line)
                line += ":"
                append(value, to: &line)
            }
            line += "}"
        }
    }

    /// With the escapes of RFC 8259 and, as in the lines for people, of what would order a terminal about.
    private static func append(_ text: String, to line: inout String) {
        line += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": line += "\\\""
            case "\\": line += "\\\\"
            case "\n": line += "\\n"
            case "\r": line += "\\r"
            case "\t": line += "\\t"
            case let scalar where LineText.isToEscape(scalar):
                for unit in String(scalar).utf16 {
                    let digits = String(unit, radix: 16)
                    line += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                }
            default: line.unicodeScalars.append(scalar)
            }
        }
        line += "\""
    }
}
