/// A setting that is missing or wrong: one line for the operator, which never repeats the value.
public struct SettingsError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The environment variable, such as `DATABASE_URL`.
    public let name: String
    /// What is wrong with it or expected of it.
    public let expectation: String

    /// - Parameters:
    ///   - name: the flag's name (`database-url`) or the environment variable's.
    ///   - expectation: what is wrong or expected, without the value itself.
    public init(_ name: String, _ expectation: String) {
        self.name = Setting.variable(of: name)
        self.expectation = expectation
    }

    /// `DATABASE_URL: is required and not set`.
    public var description: String { "\(name): \(expectation)" }

    /// The same with the setting's flag, if it has one: `HTTP_PORT (--http-port): …`.
    func line(among settings: [Setting]) -> String {
        guard let flag = settings.first(where: { $0.variable == name })?.flag else { return description }
        return "\(name) (\(flag)): \(expectation)"
    }
}
