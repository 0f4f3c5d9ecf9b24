/// A setting that is missing or wrong: one line for the operator, which never repeats the value.
public struct SettingsError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The environment variable, such as `DATABASE_URL`.
    public let name: String
    /// What is wrong with it or expected of it.
    public let expectation: String

    /// - Parameter name: the flag's name (`database-url`) or the environment variable's.
    public init(_ name: String, _ expectation: String) {
        self.name = SettingsReader.environmentName(name)
        self.expectation = expectation
    }

    /// `DATABASE_URL (--database-url): is required`.
    public var description: String {
        let flag = name.lowercased().split(separator: "_").joined(separator: "-")
        return hasFlag ? "\(name) (--\(flag)): \(expectation)" : "\(name): \(expectation)"
    }

    /// Secrets, files that hold them, and what only tests set come from the environment alone.
    private var hasFlag: Bool {
        name == SettingsReader.environmentName(CustomerOptions.name)
            || !name.hasPrefix("SETTLE_") && !name.hasSuffix("_TOKEN") && !name.hasSuffix("_FILE")
                && name != "MESSAGE_KEYS"
    }
}
