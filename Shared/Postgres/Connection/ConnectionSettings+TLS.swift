import SettleCore
import Foundation

/// `TLSPolicy` in libpq's parameters. Left to itself libpq would take an absent `sslmode` as "if possible", and look for
/// the authorities of `verify-full` in the user's home alone.
extension ConnectionSettings {
    private static let modes: Set = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
    private static let versions: Set = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]

    /// Parameters that ask for TLS, with the variables from which libpq takes them too.
    private static let material = [
        "sslrootcert": "PGSSLROOTCERT", "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY", "sslcrl": "PGSSLCRL",
        "sslcrldir": "PGSSLCRLDIR", "sslpassword": "", "ssl_min_protocol_version": "PGSSLMINPROTOCOLVERSION",
        "ssl_max_protocol_version": "PGSSLMAXPROTOCOLVERSION",
    ]

    /// The parameters with everything said that TLS depends on.
    static func withTLS(
        _ values: [String: String], environment: [String: String],
        authorities: () -> String?
    ) throws(PostgresConfigurationError) -> [String: String] {
        var values = values
        try check(values)
        if values["sslmode"] == nil, values["service"] ?? environment["PGSERVICE"] != nil {
            throw PostgresConfigurationError("the database URL must say sslmode where a service file is used")
        }
        let variable = environment["PGSSLMODE"].flatMap { $0.isEmpty ? nil : $0 }
        let named = values["sslrootcert"] ?? environment["PGSSLROOTCERT"]
        let root = named?.isEmpty == true ? nil : named
        // As libpq 16 has it: who names the system's authorities means to have the server verified.
        var mode = values["sslmode"] ?? variable ?? (root == "system" ? "verify-full" : nil)
        if let mode, !modes.contains(mode) {
            throw PostgresConfigurationError("PGSSLMODE is none of \(modes.sorted().joined(separator: ", "))")
        }
        if mode == nil || mode == "disable" {
            let isSaid = values["sslmode"] != nil
            for (name, variable) in material.sorted(by: { $0.key < $1.key }) {
                // A URL that says "disable" means it, whatever the environment holds for other programs.
                guard values[name] != nil || (!isSaid && environment[variable] != nil) else { continue }
                throw PostgresConfigurationError(
                    "\(values[name] != nil ? "the database URL's \(name)" : variable) asks for TLS,"
                        + " but sslmode does not: say verify-full, or leave it out")
            }
            guard values["channel_binding"] != "require" else {
                throw PostgresConfigurationError(
                    "the database URL's channel_binding=require needs TLS: add sslmode=verify-full")
            }
            mode = "disable"
        }
        values["sslmode"] = mode
        if mode != "disable", let root, root != "system", !FileManager.default.isReadableFile(atPath: root) {
            throw PostgresConfigurationError("the database URL's sslrootcert names no file that can be read")
        }
        guard root == nil || root == "system" else { return values }
        if root == "system", mode != "verify-full" {
            throw PostgresConfigurationError("sslrootcert=system in the database URL needs sslmode=verify-full")
        }
        if mode == "verify-full" || mode == "verify-ca" {
            guard let file = authorities() else {
                throw PostgresConfigurationError(
                    "the database URL's sslmode needs certificate authorities, and the system has none:"
                        + " name their file in sslrootcert")
            }
            values["sslrootcert"] = file
        }
        return values
    }

    /// The user's own authorities where libpq looks for them, or the system's.
    static func defaultAuthorities() -> String? {
        let own = NSHomeDirectory() + "/.postgresql/root.crt"
        return FileManager.default.isReadableFile(atPath: own) ? own : TLSPolicy.systemAuthorities()
    }

    /// libpq would complain of these at each attempt to connect, and never at the start. The values are not repeated: an
    /// unescaped password may be in them.
    private static func check(_ values: [String: String]) throws(PostgresConfigurationError) {
        let allowed = [
            "sslmode": modes, "channel_binding": ["disable", "prefer", "require"],
            "ssl_min_protocol_version": versions, "ssl_max_protocol_version": versions,
        ]
        for (name, allowed) in allowed.sorted(by: { $0.key < $1.key }) {
            guard let value = values[name], !allowed.contains(value) else { continue }
            throw PostgresConfigurationError(
                "the database URL's \(name) is none of \(allowed.sorted().joined(separator: ", "))")
        }
    }
}
