import SettleCore
import CSettleLibpq
import Foundation

/// The parameters a database URL names, as libpq takes them apart. Holds the password, so it prints itself without.
struct ConnectionSettings: Sendable {
    private(set) var values: [String: String] = [:]

    init(
        url: String, environment: [String: String] = ProcessInfo.processInfo.environment,
        authorities: () -> String? = ConnectionSettings.defaultAuthorities
    ) throws(PostgresConfigurationError) {
        guard url.hasPrefix("postgres://") || url.hasPrefix("postgresql://") else {
            throw PostgresConfigurationError("the database URL must start with postgres:// or postgresql://")
        }
        guard !url.utf8.contains(0) else {
            throw PostgresConfigurationError("the database URL holds a NUL byte")
        }
        var message: UnsafeMutablePointer<CChar>?
        guard let options = unsafe PQconninfoParse(url, &message) else {
            let text = unsafe message.map { unsafe String(cString: $0) } ?? "out of memory"
            unsafe PQfreemem(message)
            throw PostgresConfigurationError("the database URL is not valid: \(Self.redacted(text))")
        }
        defer { unsafe PQconninfoFree(options) }
        var option = unsafe options
        // Safe: libpq ends the array with an entry that has no keyword, and it is freed only after this.
        while let keyword = unsafe option.pointee.keyword {
            if let value = unsafe option.pointee.val {
                unsafe values[String(cString: keyword)] = unsafe String(cString: value)
            }
            unsafe option += 1
        }
        // A password with an unescaped "/" or "@" lands in other fields, which libpq would quote in its complaint.
        for port in (values["port"] ?? "").split(separator: ",") where !(1...65535).contains(Int(port) ?? 0) {
            throw PostgresConfigurationError(
                "the database URL's port is not a number from 1 to 65535"
                    + " (special characters in a password must be percent-encoded)")
        }
        for name in Self.numbers where values[name].map({ Int32($0) == nil }) ?? false {
            throw PostgresConfigurationError("the database URL's \(name) is not a number")
        }
        values = try Self.withTLS(values, environment: environment, authorities: authorities)
    }

    /// A plan that has to read a table all the same counts as so costly then that the server would compile it, for long.
    private static let plansByIndex = ["plan_cache_mode=force_generic_plan", "enable_seqscan=off", "jit=off"]

    /// libpq would complain of others at each attempt to connect, and never at the start.
    private static let numbers = [
        "connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count",
        "tcp_user_timeout",
    ]

    /// libpq's complaint without the part of the URL it quotes, since the password may be in that.
    private static func redacted(_ message: String) -> String {
        let line = message.prefix { $0 != "\n" }
        guard let quote = line.firstIndex(of: "\"") else { return String(line) }
        return line[..<quote].trimmingSuffix { $0 == " " || $0 == ":" }
    }

    /// libpq's parameters for one connection: what the URL says wins over the defaults, but for the settings that
    /// the decoding of values relies on.
    func parameters(for configuration: PostgresConfiguration) -> [String: String] {
        var parameters = [
            "application_name": configuration.applicationName,
            "connect_timeout": String(max(2, configuration.connectTimeout.seconds)),
            // A peer that vanished without a word is noticed within about a minute, idle or not.
            "keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3",
            "tcp_user_timeout": "60000",
        ].merging(values) { _, fromURL in fromURL }
        var options = [
            "statement_timeout=\(configuration.statementTimeout.milliseconds)",
            "idle_in_transaction_session_timeout=\(configuration.idleInTransactionTimeout.milliseconds)",
        ]
        if configuration.plans == .byIndex { options += Self.plansByIndex }
        if let lockTimeout = configuration.lockTimeout {
            options.append("lock_timeout=\(lockTimeout.milliseconds)")
        }
        let texts = SessionSettings.pinned.map { "\($0)=\($1.replacing(", ", with: ","))" }
        // The last one wins: limits may be changed in the URL, the form of texts may not. PGDATESTYLE and PGTZ come after
        // all this, so the session is told once more when it is open; this is what RESET goes back to without them.
        let flags = { (options: [String]) in options.map { "-c \($0)" }.joined(separator: " ") }
        parameters["options"] = [flags(options), values["options"] ?? "", flags(texts)].joined(separator: " ")
        parameters["client_encoding"] = "UTF8"
        return parameters
    }
}

extension ConnectionSettings: CustomStringConvertible, CustomDebugStringConvertible {
    var description: String {
        let shown = ["host", "port", "dbname", "user", "sslmode"].compactMap { key in
            values[key].map { "\(key)=\($0)" }
        }
        return shown.joined(separator: " ")
    }

    var debugDescription: String { description }
}

extension StringProtocol {
    fileprivate func trimmingSuffix(while condition: (Character) -> Bool) -> String {
        var rest = self[...]
        while let last = rest.last, condition(last) { rest.removeLast() }
        return String(rest)
    }
}
