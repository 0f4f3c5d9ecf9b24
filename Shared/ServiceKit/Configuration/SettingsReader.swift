import Configuration
public import Foundation

/// Where settings are looked up, for ``SettingsTable``: a flag of the command line wins over the environment. Empty
/// counts as not set.
///
/// A name is the flag's (`task-lease`); the environment variable follows from it (`TASK_LEASE`). Where neither is set,
/// the file that `TASK_LEASE_FILE` names holds the value: the way for secrets, which others could see elsewhere.
public struct SettingsReader: Sendable {
    private let reader: ConfigReader

    /// - Parameters:
    ///   - flags: what the command line gave, by flag name.
    ///   - environment: the variables, by name.
    public init(
        flags: [String: String] = [:], environment: [String: String] = ProcessInfo.processInfo.environment
    ) {
        let given = flags.filter { !$0.value.isEmpty }
        let values = given.map { (AbsoluteConfigKey([$0.key]), ConfigValue(.string($0.value), isSecret: false)) }
        reader = ConfigReader(providers: [
            InMemoryProvider(name: "flags", values: Dictionary(values) { $1 }),
            EnvironmentVariablesProvider(environmentVariables: environment.filter { !$0.value.isEmpty }),
        ])
    }

    /// Of the flag, the variable or the file, in this order; nil when it is set nowhere.
    ///
    /// - Throws: ``SettingsError`` for a file that cannot be read.
    func text(_ name: String) throws(SettingsError) -> String? {
        if let text = given(name) { return text }
        guard let path = given(name + "-file") else { return nil }
        return try Self.content(path, of: name + "-file")
    }

    private func given(_ name: String) -> String? { reader.string(forKey: ConfigKey([name])) }

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
}
