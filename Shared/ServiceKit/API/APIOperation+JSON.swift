import Foundation
import HTTPTypes
import Hummingbird

// An operation as OpenAPI writes it.
extension APIOperation {
    func json(_ parts: inout APIParts) -> JSONValue {
        let parameters = allParameters.map { $0.json(&parts) }
        return .members([
            "operationId": .text(id), "summary": .text(summary), "tags": [.text(tag)], "security": security,
            "parameters": parameters.isEmpty ? nil : .array(parameters),
            "requestBody": body.map { $0.json(&parts) },
            "responses": responses(&parts),
        ])
    }

    private var words: [Substring] { path.split { "/{}.-*".contains($0) } }

    private var id: String {
        ([method.rawValue.lowercased()] + words.map { $0.prefix(1).uppercased() + $0.dropFirst() }).joined()
    }

    /// What belongs together begins alike.
    private var tag: String { words.first.map(String.init) ?? "page" }

    private var security: JSONValue {
        switch access {
        case .always, .anyone: []
        case .customer: [[:], ["token": []]]
        case .token: [["token": []]]
        case .session: [["session": []]]
        }
    }

    private var allParameters: [APIParameter] {
        let inPath = path.matches(of: /\{(\w+)\}/).map { String($0.1) }
        return inPath.map { name in
            parameters.first { $0.place == .path && $0.name == name } ?? .path(name, .text(1...255))
        } + parameters.filter { $0.place != .path }
    }

    private var isUnsafe: Bool { method != .get && method != .head }

    /// Its own, and those that all routes of its kind have.
    private var allProblems: [Problem] {
        var all = problems + [.badRequest(""), .internalError]
        if !(access == .always) { all.append(.unavailable("")) }
        if access != .always, access != .anyone { all.append(.unauthorized) }
        if access == .customer { all.append(.forbidden("")) }
        if isUnsafe { all.append(OriginMiddleware.foreign) }
        if allParameters.contains(where: { $0.place == .path }) { all.append(.notFound("")) }
        if body != nil { all += [.contentTooLarge, .unsupportedMediaType] }
        if body != nil || parameters.contains(where: { $0.place == .query }) { all.append(.unprocessable("")) }
        return all
    }

    private func responses(_ parts: inout APIParts) -> JSONValue {
        var responses: [String: JSONValue] = [:]  // ours
        for (status, same) in Dictionary(grouping: answers, by: \.status.code) {  // ours
            responses[String(status)] = APIAnswer.json(same, &parts)
        }
        for (status, same) in Dictionary(grouping: allProblems, by: \.status.code) {  // ours
            let problem = Problem.json(same, &parts)
            // One status may be both, of different content types: an unready service, and one that is busy.
            responses[String(status)] = responses[String(status)].map { $0.merging(problem) } ?? problem
        }
        if isPassedOn { responses["default"] = ["description": "What the service answers."] }
        return .object(responses)
    }
}

extension APIOperation.Body {
    fileprivate func json(_ parts: inout APIParts) -> JSONValue {
        ["required": .bool(isRequired), "content": ["application/json": ["schema": parts.add(schema)]]]
    }
}

extension APIParameter {
    fileprivate func json(_ parts: inout APIParts) -> JSONValue {
        .members([
            "name": .text(name), "in": .text(place.rawValue), "required": .bool(isRequired),
            "description": description.map { .text($0) }, "schema": parts.add(schema),
        ])
    }

    fileprivate func headerJSON(_ parts: inout APIParts) -> JSONValue {
        .members([
            "required": .bool(isRequired), "description": description.map { .text($0) }, "schema": parts.add(schema),
        ])
    }
}

extension APIAnswer {
    fileprivate static func json(_ answers: [APIAnswer], _ parts: inout APIParts) -> JSONValue {
        var contents: [String: JSONValue] = [:]  // ours
        var headers: [String: JSONValue] = [:]  // ours
        for answer in answers {
            for (type, schema) in answer.contents { contents[type] = ["schema": parts.add(schema)] }
            for header in answer.headers { headers[header.name] = header.headerJSON(&parts) }
        }
        return .members([
            "description": .text(answers.map(\.description).joined(separator: "; or ")),
            "headers": headers.isEmpty ? nil : .object(headers), "content": contents.isEmpty ? nil : .object(contents),
        ])
    }
}

extension Problem {
    private static let schema = APISchema.object(
        ["type": .text(format: "uri"), "title": .text, "status": .integer(400...599)], optional: ["detail": .text]
    ).about("RFC 9457; clients tell problems apart by `type`.").named("Problem")

    /// The response of a status that has these problems.
    fileprivate static func json(_ problems: [Problem], _ parts: inout APIParts) -> JSONValue {
        var kinds: [String: Problem] = [:]  // ours
        for problem in problems where kinds[problem.code] == nil { kinds[problem.code] = problem }
        let sorted = kinds.values.sorted { $0.code < $1.code }
        guard case .object(var schema) = parts.add(schema) else { return [:] }
        schema["properties"] = ["type": ["enum": .array(sorted.map { .text($0.type) })]]
        var headers: [String: JSONValue] = [:]  // ours
        for name in Set(sorted.flatMap { $0.headers.map(\.name) }) {
            let isSeconds = name == .retryAfter
            headers[name.rawName] = [
                "required": .bool(sorted.allSatisfy { $0.headers[name] != nil }),
                "description": isSeconds ? "Seconds after which it makes sense to try again." : .text(name.rawName),
                "schema": (isSeconds ? APISchema.integer(0...86_400) : .text).json,
            ]
        }
        let response = JSONValue.members([
            "description": .text(sorted.map(\.title).joined(separator: "; or ")),
            "headers": headers.isEmpty ? nil : .object(headers),
            "content": ["application/problem+json": ["schema": .object(schema)]],
        ])
        guard let only = sorted.first, sorted.count == 1 else { return response }
        let name = only.code.split(separator: "-").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
        return parts.add(response, named: name)
    }
}

extension JSONValue {
    /// One response for what is answered as either.
    fileprivate func merging(_ other: JSONValue) -> JSONValue {
        guard case .object(let mine) = self, case .object(let others) = other else { return self }
        return .object(
            mine.merging(others) { first, second in
                switch (first, second) {
                case (.object(let a), .object(let b)): .object(a.merging(b) { $1 })
                case (.text(let a), .text(let b)): .text("\(a); or \(b)")
                default: first
                }
            })
    }
}
