import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// Requests to the service under test, each as the check wants it: wrong ones, too.
struct Probe: Sendable {
    enum Method: String, Sendable { case get = "GET", post = "POST" }

    /// What a request carries as its bearer token.
    enum Token: Sendable { case right, wrong, none }

    let baseURL: String
    let token: String
    /// Kept as long as the process: a refused connection is an answer, and not tried again.
    private static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration(redirectConfiguration: .disallow)
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroup: HTTPClient.defaultEventLoopGroup, configuration: configuration)
    }()
    private static let timeout = TimeAmount.seconds(30)
    private static let maxAnswer = 4 << 20

    init(baseURL: String, token: String) {
        self.baseURL = baseURL.hasSuffix("/") ? String(baseURL.dropLast()) : baseURL
        self.token = token
    }

    /// - Throws: `Unmet` when there is no answer.
    func send(
        _ method: Method, _ path: String, _ body: String? = nil, headers: [(String, String)] = [],
        token: Token = .right, contentType: String = "application/json"
    ) async throws -> Reply {
        var request = HTTPClientRequest(url: baseURL + path)
        request.method = HTTPMethod(rawValue: method.rawValue)
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        switch token {
        case .right: request.headers.add(name: "Authorization", value: "Bearer \(self.token)")
        case .wrong: request.headers.add(name: "Authorization", value: "Bearer not-this-one-0123456789")
        case .none: break
        }
        if let body {
            request.headers.add(name: "Content-Type", value: contentType)
            request.body = .bytes(ByteBuffer(string: body))
        }
        do {
            let response = try await Self.client.execute(request, timeout: Self.timeout)
            let content = try await response.body.collect(upTo: Self.maxAnswer)
            return Reply(
                question: "\(method.rawValue) \(path)", status: Int(response.status.code),
                contentType: response.headers.first(name: "Content-Type") ?? "", body: String(buffer: content))
        } catch {
            throw Unmet(expected: "an answer to \(method.rawValue) \(path)", got: "\(error)")
        }
    }
}

/// An answer of the service under test.
struct Reply: Sendable {
    let question: String
    let status: Int
    let contentType: String
    let body: String

    private struct Problem: Decodable {
        let type: String
        let title: String
        let status: Int
    }

    /// Whether it says that it was done.
    var isSuccess: Bool { (200..<300).contains(status) }

    /// The code of a problem document.
    var code: String? {
        (try? JSONDecoder().decode(Problem.self, from: Data(body.utf8)))?.type.split(separator: "/").last.map(
            String.init)
    }

    /// For a person.
    var short: String { "\(status) \(body.prefix(300)) to \(question)" }

    /// The JSON in one form, so that equal documents are equal texts; the body as it is where it is none.
    var canonical: String {
        guard let value = try? JSONSerialization.jsonObject(with: Data(body.utf8), options: .fragmentsAllowed),
            let data = try? JSONSerialization.data(withJSONObject: value, options: [.sortedKeys, .fragmentsAllowed])
        else { return body }
        return String(decoding: data, as: UTF8.self)
    }

    func decode<T: Decodable>(_ type: T.Type) throws -> T {
        do {
            return try JSONDecoder().decode(type, from: Data(body.utf8))
        } catch {
            throw Unmet(expected: "an answer of the form that the page shows", got: short)
        }
    }

    @discardableResult
    func expect(_ expected: String, _ isMet: Bool) throws -> Reply {
        guard isMet else { throw Unmet(expected: expected, got: short) }
        return self
    }

    @discardableResult
    func expectSuccess(_ what: String = "2xx") throws -> Reply { try expect(what, isSuccess) }

    @discardableResult
    func expect(status: Int, code: String? = nil) throws -> Reply {
        try expect(
            "\(status)" + (code.map { ", a problem with the code \($0)" } ?? ""),
            self.status == status && (code == nil || self.code == code))
    }

    /// 4xx, for what is wrong with the request.
    @discardableResult
    func expectRefused(_ what: String) throws -> Reply { try expect("4xx: \(what)", (400..<500).contains(status)) }

    func expectProblem() throws {
        try expect(
            "application/problem+json with type, title and status",
            contentType.hasPrefix("application/problem+json") && code != nil)
    }
}

/// `{"xids": […]}`
func xidsBody(_ xids: [String], onlyRead: Bool? = nil) throws -> String {
    struct Body: Encodable {
        let xids: [String]
        let onlyRead: Bool?
    }
    return String(decoding: try JSONEncoder().encode(Body(xids: xids, onlyRead: onlyRead)), as: UTF8.self)
}

/// `{"outcomes": {"<xid>": …}}`
struct Outcomes: Decodable {
    let outcomes: [String: String]
}
