import Foundation
import HTTPTypes

/// What a service says of itself at `GET /openapi.json`.
public struct APIDescription: Sendable {
    let title: String
    let about: String
    private(set) var operations: [APIOperation]

    /// - Parameters:
    ///   - title: the service's name.
    ///   - about: what it is for.
    ///   - operations: its routes; those that every service has come by themselves.
    public init(_ title: String, about: String, operations: [APIOperation]) {
        self.title = title
        self.about = about
        self.operations = operations
    }

    /// The same with more routes.
    package func adding(_ more: [APIOperation]) -> APIDescription {
        var description = self
        description.operations += more
        return description
    }
}

/// An OpenAPI 3.1 document, made from the routes that there are and from what is said of them.
struct APIDocument {
    /// Of what is described, not of the program: see docs/wire-protocol.md.
    static let version = "1.0.0"

    let json: JSONValue
    /// What differs between the routes and their descriptions, a sentence each; nothing may.
    let gaps: [String]

    /// - Parameter routes: path templates such as `/products/{sku}` with their methods.
    init(_ description: APIDescription, routes: [(path: String, method: String)]) {
        var described: [String: APIOperation] = [:]  // ours
        var gaps: [String] = []
        for operation in description.operations {
            let key = Self.key(operation.method.rawValue, operation.path)
            if described.updateValue(operation, forKey: key) != nil { gaps.append("\(key) is described twice") }
        }
        var paths: [String: JSONValue] = [:]  // ours
        var parts = APIParts()
        let keys = Set(routes.map { Self.key($0.method, Self.template($0.path)) })
        for key in keys.sorted() {
            guard let operation = described[key] else {
                gaps.append("\(key) is a route without an APIOperation: add one to the operations beside it")
                continue
            }
            guard case .object(var item) = paths[operation.path] ?? [:] else { continue }
            item[operation.method.rawValue.lowercased()] = operation.json(&parts)
            paths[operation.path] = .object(item)
        }
        for key in described.keys.sorted() where !keys.contains(key) {
            gaps.append("\(key) has an APIOperation, but no route")
        }
        self.gaps = gaps
        json = [
            "openapi": "3.1.0", "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
            "info": [
                "title": .text(description.title), "version": .text(Self.version),
                "description": .text(description.about + "\n\n" + Self.general),
            ],
            "servers": [["url": "/"]], "paths": .object(paths), "components": parts.json,
        ]
    }

    /// As it is served, and checked in.
    var text: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        // Texts and numbers can always be written.
        return String(decoding: (try? encoder.encode(json)) ?? Data(), as: UTF8.self) + "\n"
    }

    private static let general = """
        HEAD goes with every GET. A path with another method is answered 405 with `Allow`, an unknown path 404, both as a \
        problem (RFC 9457). Texts of requests may hold every character but U+0000. A client ignores members that it does not \
        know, and so does the service. Any request may be answered 408 when it arrives too slowly, and 413 for a body over 1 MiB.
        """

    private static func key(_ method: String, _ path: String) -> String { "\(method) \(path)" }

    /// As OpenAPI writes the path of a route.
    private static func template(_ path: String) -> String {
        let parts = path.split(separator: "/").map { part in
            part == "**" ? "{path}" : part.hasPrefix(":") ? "{\(part.dropFirst())}" : String(part)
        }
        return "/" + parts.joined(separator: "/")
    }
}

/// What operations share, gathered while they are written down.
struct APIParts {
    private var schemas: [String: JSONValue] = [:]  // ours
    private var responses: [String: JSONValue] = [:]  // ours

    /// The schema, or the reference to it.
    mutating func add(_ schema: APISchema) -> JSONValue {
        schemas.merge(schema.named) { $1 }
        return schema.json
    }

    /// The reference to a response.
    mutating func add(_ response: JSONValue, named name: String) -> JSONValue {
        responses[name] = response
        return ["$ref": .text("#/components/responses/\(name)")]
    }

    var json: JSONValue {
        [
            "schemas": .object(schemas), "responses": .object(responses),
            "securitySchemes": [
                "token": [
                    "type": "http", "scheme": "bearer",
                    "description": "One that the service accepts; where customers are told apart also a customer's.",
                ],
                "session": [
                    "type": "apiKey", "in": "cookie", "name": "settle_session", "description": "Of POST /session.",
                ],
            ],
        ]
    }
}
