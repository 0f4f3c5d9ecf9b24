import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// Asks the service that runs on this machine whether it is ready: a container's health check in an image that holds
/// no shell and no HTTP client beside the service itself.
public struct HealthQuery: Sendable {
    /// Why the answer counts as no.
    public struct Unready: Error, Sendable, CustomStringConvertible {
        /// For the operator.
        public let description: String
    }

    private let url: String

    /// - Throws: ``SettingsError`` when the address or the port is wrong; no other setting is looked at.
    public init(_ reader: SettingsReader, defaultPort: Int) throws(SettingsError) {
        let address = try SettingsTable(ListenAddress(port: defaultPort), ListenAddress.rows).read(reader)
        url = "http://\(Self.reachable(address.host)):\(address.port)/health/ready"
    }

    /// - Returns: the document that readiness answers with.
    /// - Throws: ``Unready`` when the service says no, or nothing within three seconds.
    public func answer() async throws(Unready) -> String {
        do {
            let response = try await HTTPClient.shared.execute(HTTPClientRequest(url: url), timeout: .seconds(3))
            let body = String(buffer: try await response.body.collect(upTo: 64 << 10))
            guard response.status.code == 200 else { throw Unready(description: body) }
            return body
        } catch let error as Unready {
            throw error
        } catch {
            throw Unready(description: "no answer from \(url): \(error)")
        }
    }

    /// What a service that listens on `host` can be reached at from where it runs.
    static func reachable(_ host: String) -> String {
        switch host {
        case "0.0.0.0": "127.0.0.1"
        case "::": "[::1]"
        case let host where host.contains(":"): "[\(host)]"
        default: host
        }
    }
}
