/// One setting of a service, as an operator sees it: its flag, its variable, its part of `--help`, the error about it
/// and its row in docs/operating.md are all made of this.
public struct Setting: Sendable, Hashable {
    /// The flag's name without its dashes: `task-lease`.
    public let name: String
    /// What it is for, in a sentence.
    public let meaning: String
    /// What may stand there: `a whole number from 1 to 5`.
    public let form: String
    /// What counts when it is not set; nil when it must be set.
    public let defaultText: String?
    /// Whether it has no flag: other accounts can read the command lines of a machine.
    public let isEnvironmentOnly: Bool

    /// The environment variable: `TASK_LEASE`.
    public var variable: String { Self.variable(of: name) }

    /// `--task-lease`, or nil when it has none.
    public var flag: String? { isEnvironmentOnly ? nil : "--\(name)" }

    /// The variable that stands for the flag called `name`.
    public static func variable(of name: String) -> String {
        String(name.uppercased().map { $0 == "-" ? "_" : $0 })
    }
}
