import Logging

/// How log lines look.
enum LogFormat: String, Sendable, CaseIterable {
    /// For people: a fixed text, and values beside it.
    case text
    /// For programs: one JSON object a line.
    case json

    /// What writes the lines of one logger, to standard error.
    func handler(
        label: String, level: Logger.Level, service: String, provider: Logger.MetadataProvider?
    ) -> any LogHandler {
        switch self {
        case .text:
            var handler = StreamLogHandler.standardError(label: label, metadataProvider: provider)
            handler.logLevel = level
            return EscapingLogHandler(handler)
        case .json:
            return JSONLogHandler(service: service, label: label, level: level, provider: provider) { line in
                StandardError.write(line)
            }
        }
    }
}
