import ArgumentParser
import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import SettleServiceKit

/// Which service is asked, and how the answer is shown.
struct ServiceOptions: ParsableArguments {
    @Option(help: "Base URL of the service; SETTLE_URL in the environment else.") var url: String?
    @Option(help: "The file that holds the token; SETTLE_TOKEN_FILE or SETTLE_TOKEN in the environment else.")
    var tokenFile: String?
    @Flag(help: "Print the service's answer as JSON.") var json = false

    func service() throws -> ServiceCalls {
        let environment = ProcessInfo.processInfo.environment
        guard let text = url ?? environment["SETTLE_URL"] else {
            throw ValidationError("--url or SETTLE_URL must say where the service is")
        }
        guard let base = BaseURL(text) else {
            throw ValidationError("'\(text)' is not a base URL such as http://127.0.0.1:8080")
        }
        return ServiceCalls(base: base.description, token: try token(environment))
    }

    /// Nil without one: some routes need none.
    private func token(_ environment: [String: String]) throws -> String? {  // ours
        if let file = tokenFile ?? environment["SETTLE_TOKEN_FILE"] {
            guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
                throw ValidationError("the token's file '\(file)' cannot be read")
            }
            return text.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        return environment["SETTLE_TOKEN"]
    }
}

/// Calls to the service.
struct ServiceCalls: Sendable {
    private static let limit = 16 << 20
    private static let client: HTTPClient = {
        var pool = HTTPClient.Configuration.ConnectionPool()
        // A service that refuses connections is away: that is the answer, not to be waited for.
        pool.retryConnectionEstablishment = false
        var configuration = HTTPClient.Configuration(timeout: .init(connect: .seconds(5)))
        configuration.connectionPool = pool
        return HTTPClient(eventLoopGroup: HTTPClient.defaultEventLoopGroup, configuration: configuration)
    }()
    let base: String
    let token: String?

    func get(_ path: String) async throws -> JSONValue { try await call(.GET, path) }

    func post(_ path: String, _ body: JSONValue? = nil) async throws -> JSONValue { try await call(.POST, path, body) }

    func delete(_ path: String) async throws -> JSONValue { try await call(.DELETE, path) }

    private func call(_ method: HTTPMethod, _ path: String, _ body: JSONValue? = nil) async throws -> JSONValue {
        var request = HTTPClientRequest(url: (base.hasSuffix("/") ? String(base.dropLast()) : base) + path)
        request.method = method
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        if let body {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(string: try body.text))
        }
        let status: Int
        let bytes: ByteBuffer
        do {
            let answer = try await Self.client.execute(request, timeout: .seconds(60))
            status = Int(answer.status.code)
            bytes = try await answer.body.collect(upTo: Self.limit)
        } catch {
            throw CallFailure.unreachable("\(base) cannot be reached: \(error)")
        }
        let text = String(buffer: bytes)
        guard (200..<300).contains(status) else { throw Self.refusal(status, text) }
        if text.isEmpty { return .object([:]) }
        guard let value = try? JSONValue(text: text) else {
            throw CallFailure.unreachable("\(base) answers something that is no JSON: is it the right address?")
        }
        return value
    }

    private static func refusal(_ status: Int, _ text: String) -> CallFailure {
        // What a proxy answers is no problem document; the status alone says enough then.
        let problem = try? JSONValue(text: text)
        return .refused(
            status: status, title: problem?["title"]?.plain ?? "", detail: problem?["detail"]?.plain ?? "")
    }
}

extension String {
    /// As a part of a path or a query.
    var escaped: String { addingPercentEncoding(withAllowedCharacters: .plain) ?? "" }
}

extension CharacterSet {
    /// What RFC 3986 calls unreserved.
    fileprivate static let plain = CharacterSet(
        charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
}
