import Foundation
import Testing

/// The fault agent's OpenAPI document, to hold its answers against.
struct AgentDocument {
    private let document: [String: Any]

    init(_ text: String) throws {
        document = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    /// Where an answer of `GET path` is not as the document says: members that are missing or not named, and unknown words.
    func differences(in answer: String, path: String) throws -> [String] {
        let schema = ["paths", path, "get", "responses", "200", "content", "application/json", "schema"]
            .reduce(document as Any?) { ($0 as? [String: Any])?[$1] }
        return differences(
            try JSONSerialization.jsonObject(with: Data(answer.utf8)), try #require(schema as? [String: Any]), at: path)
    }

    private func differences(_ value: Any, _ schema: [String: Any], at place: String) -> [String] {
        if let name = (schema["$ref"] as? String)?.split(separator: "/").last {
            let named = (document["components"] as? [String: Any])?["schemas"] as? [String: Any]
            guard let schema = named?[String(name)] as? [String: Any] else { return ["\(place): \(name) is not there"] }
            return differences(value, schema, at: place)
        }
        if let members = value as? [String: Any] {
            let missing = (schema["required"] as? [String] ?? []).filter { members[$0] == nil }
            return missing.map { "\(place): no \($0)" }
                + members.flatMap { name, member in
                    let known = (schema["properties"] as? [String: Any])?[name] ?? schema["additionalProperties"]
                    guard let known = known as? [String: Any] else { return ["\(place): \(name) is not named"] }
                    return differences(member, known, at: "\(place).\(name)")
                }
        }
        if let elements = value as? [Any] {
            guard let element = schema["items"] as? [String: Any] else { return ["\(place): no array"] }
            return elements.flatMap { differences($0, element, at: "\(place)[]") }
        }
        if let words = schema["enum"] as? [String], !words.contains(value as? String ?? "") {
            return ["\(place): \(value) is no such word"]
        }
        return []
    }
}
