package import Foundation
public import HTTPTypes

/// One route as `GET /openapi.json` describes it: what may be sent, and every answer that may come.
///
/// What goes for all routes of a kind is added by itself: 401 where a token is needed, 400, 413, 415 and 422 where a body is
/// read, 503 and 500.
public struct APIOperation: Sendable {
    /// Who may call a route.
    public enum Access: Sendable {
        /// Anyone; and it is served even while the service starts.
        case always
        /// Anyone.
        case anyone
        /// Anyone, or where customers are told apart that customer only.
        case customer
        /// Who has the token.
        case token
        /// Who has a session.
        case session
    }

    /// A body that is read.
    package struct Body: Sendable {
        /// What the route makes of it, but for what it checks afterwards.
        package let decode: @Sendable (Data) throws -> any Decodable
        package let schema: APISchema
        let isRequired: Bool
    }

    /// Whether any status may come: another service's answer is passed on.
    private(set) var isPassedOn = false
    package let method: HTTPRequest.Method
    package let path: String
    let access: Access
    let summary: String
    private(set) var parameters: [APIParameter] = []
    package private(set) var body: Body?
    private(set) var answers: [APIAnswer] = []
    private(set) var problems: [Problem] = []

    /// - Parameters:
    ///   - method: of the route.
    ///   - path: its template, such as `/products/{sku}`. What is in braces is a text of up to 255 characters unless
    ///     ``taking(_:)`` says more.
    ///   - access: who may call it.
    ///   - summary: what it does, in one sentence.
    public init(_ method: HTTPRequest.Method, _ path: String, _ access: Access, _ summary: String) {
        self.method = method
        self.path = path
        self.access = access
        self.summary = summary
    }

    /// The same with parameters of the path, the query or the head.
    public func taking(_ parameters: APIParameter...) -> APIOperation {
        var operation = self
        operation.parameters += parameters
        return operation
    }

    /// The same with a body.
    ///
    /// - Parameters:
    ///   - type: what the route decodes; a test holds `schema` against it.
    ///   - schema: what it must be like.
    ///   - isRequired: false where it may be left out.
    public func reading<Content: Decodable & Sendable>(
        _ type: Content.Type, _ schema: APISchema, isRequired: Bool = true
    ) -> APIOperation {
        var operation = self
        operation.body = Body(
            decode: { try JSONCoding.decoder.decode(type, from: $0) }, schema: schema, isRequired: isRequired)
        return operation
    }

    /// The same with an answer.
    public func answering(
        _ status: HTTPResponse.Status = .ok, _ schema: APISchema? = nil, type: String = "application/json",
        headers: [APIParameter] = [], _ description: String? = nil
    ) -> APIOperation {
        var operation = self
        operation.answers.append(
            APIAnswer(
                status: status, contents: schema.map { [(type, $0)] } ?? [], headers: headers,
                description: description ?? status.reasonPhrase))
        return operation
    }

    /// The same as one that passes on what another service answers.
    package func passingOn() -> APIOperation {
        var operation = self
        operation.isPassedOn = true
        return operation
    }

    /// The same with problems that are its own.
    public func refusing(_ problems: Problem...) -> APIOperation { refusing(problems) }

    /// The same with problems that are its own.
    public func refusing(_ problems: [Problem]) -> APIOperation {
        var operation = self
        operation.problems += problems
        return operation
    }
}

/// A parameter of a path, a query or a head; or a header of an answer.
public struct APIParameter: Sendable {
    enum Place: String, Sendable { case path, query, header }

    let place: Place
    let name: String
    let schema: APISchema
    let isRequired: Bool
    let description: String?

    /// What stands in the path for `{name}`.
    public static func path(_ name: String, _ schema: APISchema, _ description: String? = nil) -> APIParameter {
        APIParameter(place: .path, name: name, schema: schema, isRequired: true, description: description)
    }

    /// A parameter of the query; it may be left out.
    public static func query(_ name: String, _ schema: APISchema, _ description: String? = nil) -> APIParameter {
        APIParameter(place: .query, name: name, schema: schema, isRequired: false, description: description)
    }

    /// A header.
    public static func header(
        _ name: String, _ schema: APISchema, isRequired: Bool = false, _ description: String? = nil
    ) -> APIParameter {
        APIParameter(place: .header, name: name, schema: schema, isRequired: isRequired, description: description)
    }
}

/// An answer that is no problem.
struct APIAnswer: Sendable {
    let status: HTTPResponse.Status
    let contents: [(type: String, schema: APISchema)]
    let headers: [APIParameter]
    let description: String
}
