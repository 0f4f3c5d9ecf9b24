import Configuration
public import Foundation

/// Settings by name: a flag of the command line wins over the environment. Empty counts as not set.
///
/// A name is the flag's (`task-lease`); the environment variable follows from it (`TASK_LEASE`). Where neither is set,
/// the file that `TASK_LEASE_FILE` names holds the value: the way for secrets, which others could see elsewhere.
public struct SettingsReader: Sendable {
    private let reader: ConfigReader

    /// - Parameter flags: what the command line gave, by flag name; `nil` for a flag that was not given.
    public init(
        flags: [String: String?] = [:], environment: [String: String] = ProcessInfo.processInfo.environment
    ) {
        let given = flags.compactMapValues { $0 }.filter { !$0.value.isEmpty }
        let values = given.map { (AbsoluteConfigKey([$0.key]), ConfigValue(.string($0.value), isSecret: false)) }
        reader = ConfigReader(providers: [
            InMemoryProvider(name: "flags", values: Dictionary(values) { $1 }),
            EnvironmentVariablesProvider(environmentVariables: environment.filter { !$0.value.isEmpty }),
        ])
    }

    /// The variable that stands for a flag: `task-lease` is `TASK_LEASE`.
    public static func environmentName(_ name: String) -> String {
        name.uppercased().replacingOccurrences(of: "-", with: "_")
    }

    /// `nil` when it is set nowhere; files are not looked at.
    public func optionalString(_ name: String, isSecret: Bool = false) -> String? {
        reader.string(forKey: ConfigKey([name]), isSecret: isSecret)
    }

    /// - Throws: ``SettingsError`` when it is set nowhere and there is no default.
    public func string(
        _ name: String, default: String? = nil, isSecret: Bool = false
    ) throws(SettingsError) -> String {
        guard let value = try text(name, isSecret: isSecret) ?? `default` else {
            throw SettingsError(name, "is required and not set")
        }
        return value
    }

    /// A whole number in decimal digits, without a plus sign.
    public func integer(
        _ name: String, default: Int? = nil, in range: ClosedRange<Int> = .min ... .max
    ) throws(SettingsError) -> Int {
        try parsed(name, default: `default`, expectation: Self.expectation("a whole number", range)) { text in
            text.hasPrefix("+") ? nil : Int(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// A whole number with its unit, such as `250ms`, `5s`, `10m` or `1h`.
    public func duration(
        _ name: String, default: Duration? = nil, in range: ClosedRange<Duration> = .zero ... .seconds(31_536_000)
    ) throws(SettingsError) -> Duration {
        let expectation =
            "a duration such as 250ms, 5s, 10m or 1h, from \(DurationText.format(range.lowerBound)) "
            + "to \(DurationText.format(range.upperBound)), is expected"
        return try parsed(name, default: `default`, expectation: expectation) { text in
            DurationText.parse(text).flatMap { range.contains($0) ? $0 : nil }
        }
    }

    /// The address of a service, by one of `schemes`.
    public func url(
        _ name: String, default: BaseURL? = nil, schemes: [String] = ["http", "https"]
    ) throws(SettingsError) -> BaseURL {
        let expectation =
            "a URL is expected that begins with \(schemes.map { $0 + "://" }.joined(separator: " or ")), then a host, "
            + "perhaps a port up to 65535 and a path; no user, no query, no spaces"
        return try parsed(name, default: `default`, expectation: expectation) { BaseURL($0, schemes: schemes) }
    }

    /// Of the flag, the variable or the file, in this order.
    private func text(_ name: String, isSecret: Bool = false) throws(SettingsError) -> String? {
        if let text = optionalString(name, isSecret: isSecret) { return text }
        guard let path = optionalString(name + "-file") else { return nil }
        return try Self.content(path, of: name + "-file")
    }

    /// The longest content of such a file, in bytes.
    private static let maxFileBytes = 64 << 10

    /// Without the line feed that most editors leave at the end; `nil` when there is nothing else.
    private static func content(_ path: String, of name: String) throws(SettingsError) -> String? {
        let data: Data
        do {
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            // It was only read from: there is nothing that closing it could lose.
            defer { try? file.close() }
            data = try file.read(upToCount: maxFileBytes + 1) ?? Data()
        } catch {
            throw SettingsError(name, "a file that can be read is expected")
        }
        guard data.count <= maxFileBytes, let text = String(data: data, encoding: .utf8) else {
            throw SettingsError(name, "a file of at most \(maxFileBytes) bytes of UTF-8 is expected")
        }
        let value = text.trimmingCharacters(in: .newlines)
        return value.isEmpty ? nil : value
    }

    private func parsed<T>(
        _ name: String, default: T?, expectation: String, _ parse: (String) -> T?
    ) throws(SettingsError) -> T {
        guard let text = try text(name) else {
            guard let `default` else { throw SettingsError(name, "is required and not set; \(expectation)") }
            return `default`
        }
        guard let value = parse(text) else { throw SettingsError(name, expectation) }
        return value
    }

    private static func expectation(_ what: String, _ range: ClosedRange<Int>) -> String {
        switch (range.lowerBound, range.upperBound) {
        case (.min, .max): "\(what) is expected"
        case (let lower, .max): "\(what) of at least \(lower) is expected"
        case (.min, let upper): "\(what) of at most \(upper) is expected"
        case (let lower, let upper): "\(what) from \(lower) to \(upper) is expected"
        }
    }
}
