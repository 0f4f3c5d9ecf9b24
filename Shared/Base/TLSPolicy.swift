public import Foundation

/// When a connection to PostgreSQL, RabbitMQ or Redis is encrypted: one rule for all three clients, and what they share
/// of it. The operator's side of it is in `docs/operating.md`.
///
/// 1. *The URL says so, never the server.* `amqp:`, `redis:` and a PostgreSQL URL without `sslmode` are plain text, for
///    loopback and private networks. Nothing is encrypted "if possible", which whoever sits on the wire could undo; only
///    `sslmode=prefer` and `allow`, written out, are PostgreSQL's word for that.
/// 2. *What asks for TLS verifies.* `amqps:` and `sslmode=verify-full` check certificate and host name against the file
///    that the URL names, or else the system's authorities. The URL has to ask for less in so many words:
///    `verify=verify_none`, `sslmode=require` (no check, unless `sslrootcert` is there) or `verify-ca` (no host name).
/// 3. *Never weaker than asked for.* A parameter that only makes sense with TLS on a plain connection, an unknown value,
///    and TLS that the C library lacks (`rediss:`) are refused when the URL is read.
public enum TLSPolicy {
    /// The file of the system's certificate authorities: what `SSL_CERT_FILE` names, or where systems keep it; `nil` when
    /// there is none that can be read.
    public static func systemAuthorities(
        environment: [String: String] = ProcessInfo.processInfo.environment,
        isReadable: (String) -> Bool = { FileManager.default.isReadableFile(atPath: $0) }
    ) -> String? {
        let places = [
            environment["SSL_CERT_FILE"],
            "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem",
        ]
        return places.compactMap(\.self).first(where: isReadable)
    }
}
