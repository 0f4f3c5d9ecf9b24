import Configuration
public import Foundation

/// Settings by name: a flag of the command line wins over the environment. Empty counts as not set.
///
/// A name is the flag's (`task-lease`); the environment variable follows from it (`TASK_LEASE`).
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

    /// `nil` when it is set nowhere.
    public func optionalString(_ name: String, isSecret: Bool = false) -> String? {
        reader.string(forKey: ConfigKey([name]), isSecret: isSecret)
    }

    /// - Throws: ``SettingsError`` when it is set nowhere and there is no default.
    public func string(
        _ name: String, default: String? = nil, isSecret: Bool = false
    ) throws(SettingsError) -> String {
        guard let value = optionalString(name, isSecret: isSecret) ?? `default` else {
            throw SettingsError(name, "is required and not set")
        }
        return value
    }

    /// A whole number in decimal digits.
    public func integer(
        _ name: String, default: Int? = nil, in range: ClosedRange<Int> = .min ... .max
    ) throws(SettingsError) -> Int {
        try parsed(name, default: `default`, expectation: Self.expectation("a whole number", range)) { text in
            Int(text).flatMap { range.contains($0) ? $0 : nil }
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

    /// `true` or `false`, also as `yes`/`no`, `on`/`off` or `1`/`0`.
    public func boolean(_ name: String, default: Bool? = nil) throws(SettingsError) -> Bool {
        try parsed(name, default: `default`, expectation: "true or false is expected") { text in
            switch text.lowercased() {
            case "true", "yes", "on", "1": true
            case "false", "no", "off", "0": false
            default: nil
            }
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

    private func parsed<T>(
        _ name: String, default: T?, expectation: String, _ parse: (String) -> T?
    ) throws(SettingsError) -> T {
        guard let text = optionalString(name) else {
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
