extension ServiceCommand {
    /// What `--help` prints.
    var help: String {
        let flags = settings.filter { !$0.isEnvironmentOnly }
        let hidden = settings.filter(\.isEnvironmentOnly)
        let parts =
            [
                "Usage: \(name) [--flag value]…", about,
                """
                A flag wins over its environment variable. NAME_FILE names a file that holds the setting NAME. Durations \
                are whole numbers with a unit: 250ms, 5s, 10m, 1h.
                """,
            ].map { Self.wrapped($0) }
            + flags.map { Self.entry("--\($0.name), \($0.variable)", Self.text($0)) }
            + ["From the environment only:"] + hidden.map { Self.entry($0.variable, Self.text($0)) }
            + [
                "Without starting anything:",
                Self.entry(
                    "--health",
                    "Asks the service that runs at this address and port whether it is ready; exit code 0 or 1."),
                Self.entry("--help, -h", "This text."),
            ]
        return parts.joined(separator: "\n\n")
    }

    private static func text(_ setting: Setting) -> String {
        "\(setting.meaning) \(setting.defaultText.map { "Default \($0)" } ?? "Required"); \(setting.form)."
    }

    private static func entry(_ head: String, _ text: String) -> String {
        "  \(head)\n\(wrapped(text, indent: 6))"
    }

    /// In lines of at most 80 characters, but for words that are longer.
    private static func wrapped(_ text: String, indent: Int = 0) -> String {
        let margin = String(repeating: " ", count: indent)
        var lines: [String] = []
        var line = ""
        for word in text.split(whereSeparator: \.isWhitespace) {
            if !line.isEmpty, indent + line.count + 1 + word.count > 80 {
                lines.append(margin + line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        return (lines + [margin + line]).joined(separator: "\n")
    }
}
