package import Foundation
public import Hummingbird

/// An error as a client sees it: `application/problem+json` of RFC 9457.
///
/// `detail` reaches the client: it names fields and rules, never SQL, server text or what an internal error says.
public struct Problem: Error, HTTPResponseError, Equatable {
    /// The HTTP status.
    public var status: HTTPResponse.Status
    /// What `type` ends in, such as `insufficient-stock`; clients tell problems apart by it.
    public var code: String
    /// The same for every problem of this type.
    public var title: String
    /// What is wrong with this request.
    public var detail: String?
    /// Sent along, such as `Retry-After`.
    public var headers: HTTPFields

    /// - Parameters:
    ///   - status: of the response.
    ///   - code: names the kind of problem; the last part of its `type`.
    ///   - title: what kind of problem it is, for people: the same each time.
    ///   - detail: what was wrong this time, for people; nothing that a server said.
    ///   - retryAfter: seconds after which it makes sense to try again.
    ///   - headers: what the response carries besides.
    public init(
        _ status: HTTPResponse.Status, code: String, title: String, detail: String? = nil, retryAfter: Int? = nil,
        headers: HTTPFields = [:]
    ) {
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.headers = headers
        if let retryAfter { self.headers[.retryAfter] = String(retryAfter) }
    }

    /// The URI that names the kind of problem.
    public var type: String { "urn:settle:problems/\(code)" }

    /// The answer to the client.
    public func response(from request: Request, context: some RequestContext) throws -> Response {
        var headers = headers
        headers[.contentType] = "application/problem+json"
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: document)))
    }

    /// The answer's body.
    package var document: Data {
        let body = Body(type: type, title: title, status: status.code, detail: detail)
        // Three texts and a number can always be written.
        return (try? JSONCoding.encoder.encode(body)) ?? Data()
    }

    private struct Body: Encodable {
        let type: String
        let title: String
        let status: Int
        let detail: String?
    }
}
