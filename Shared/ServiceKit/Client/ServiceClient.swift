import Foundation
public import HTTPTypes
import SettleCore
import Tracing

/// Calls to one service: base address, token, JSON both ways, the current trace. A cheap value.
public struct ServiceClient: Sendable {
    private let name: String
    private let baseURL: String
    private let token: String?
    private let outbound: OutboundHTTP
    private let timeout: Duration
    private let headers: @Sendable () -> [String: String]

    /// - Parameters:
    ///   - name: of the service that is called, for errors.
    ///   - baseURL: what paths are appended to.
    ///   - token: sent as the bearer token.
    ///   - outbound: what makes the calls; shared by the clients of one process.
    ///   - timeout: for calls that give none of their own.
    ///   - headers: asked for every call, in the caller's task; for what travels in task-local values.
    public init(
        _ name: String, baseURL: String, token: String?, over outbound: OutboundHTTP, timeout: Duration = .seconds(5),
        headers: @escaping @Sendable () -> [String: String] = { [:] }
    ) {
        self.name = name
        self.baseURL = baseURL.hasSuffix("/") ? String(baseURL.dropLast()) : baseURL
        self.token = token
        self.outbound = outbound
        self.timeout = timeout
        self.headers = headers
    }

    /// Sends a document with POST and reads the answer.
    public func post<Answer: Decodable>(
        _ path: String, _ body: some Encodable, headers: [String: String] = [:], timeout: Duration? = nil,
        as: Answer.Type = Answer.self
    ) async throws(ServiceClientError) -> Answer {
        try decode(try await send(.post, path, json: try encode(body), headers: headers, timeout: timeout))
    }

    /// One call; an answer of any status is returned.
    public func send(
        _ method: HTTPRequest.Method, _ path: String, json: [UInt8]? = nil, headers: [String: String] = [:],
        timeout: Duration? = nil
    ) async throws(ServiceClientError) -> ServiceAnswer {
        let fields = self.headers().merging(headers) { $1 }
        let method = method.rawValue
        let name = HTTPSpan.template(method, path).map { "\(method) \($0)" } ?? method
        do {
            return try await Spans.beneath(
                name, ofKind: .client, attributes: { HTTPSpan.attributes(ofCall: method, baseURL, path) }
            ) { span in
                let answer = try await exchange(method, path, json, fields, timeout ?? self.timeout)
                if let span {
                    span.updateAttributes { $0["http.response.status_code"] = answer.status }
                    if answer.status >= 400 { span.failed(String(answer.status)) }
                }
                return answer
            }
        } catch let error as ServiceClientError {
            throw error
        } catch {
            throw .unavailable(reason: "\(error)", isUnsent: false)
        }
    }

    private func exchange(
        _ method: String, _ path: String, _ json: [UInt8]?, _ headers: [String: String], _ timeout: Duration
    ) async throws(ServiceClientError) -> ServiceAnswer {
        var fields = headers.merging(TraceHeaders.current()) { $1 }
        if let token { fields["Authorization"] = "Bearer \(token)" }
        if json != nil { fields["Content-Type"] = "application/json" }
        return try await outbound.exchange(
            method: method, url: baseURL + path, headers: fields.map { ($0.key, $0.value) }, body: json,
            timeout: timeout)
    }

    /// One call with a document; an answer of any status is returned.
    package func send(
        _ method: HTTPRequest.Method, _ path: String, _ body: some Encodable, timeout: Duration
    ) async throws(ServiceClientError) -> ServiceAnswer {
        try await send(method, path, json: try encode(body), timeout: timeout)
    }

    package func encode(_ body: some Encodable) throws(ServiceClientError) -> [UInt8] {
        do {
            return Array(try JSONCoding.encoder.encode(body))
        } catch {
            throw .unavailable(reason: "the body for \(name) cannot be encoded: \(error)", isUnsent: true)
        }
    }

    /// What an answer of 2xx says; the error that any other one is.
    package func decode<Answer: Decodable>(
        _ answer: ServiceAnswer, as: Answer.Type = Answer.self
    ) throws(ServiceClientError) -> Answer {
        guard (200..<300).contains(answer.status) else { throw Self.error(answer) }
        do {
            return try JSONCoding.decoder.decode(Answer.self, from: Data(answer.body))
        } catch {
            throw .invalidAnswer("\(name): \(error)")
        }
    }

    private struct ProblemBody: Decodable {
        let type: String?
        let detail: String?
    }

    /// What an answer says that is not 2xx.
    package static func error(_ answer: ServiceAnswer) -> ServiceClientError {
        // An error page of a proxy is no problem document: the status alone says enough then.
        let problem = try? JSONCoding.decoder.decode(ProblemBody.self, from: Data(answer.body))
        return .status(
            answer.status, problemType: problem?.type, detail: problem?.detail,
            retryAfter: answer.header("Retry-After").flatMap { Int($0) })
    }
}
