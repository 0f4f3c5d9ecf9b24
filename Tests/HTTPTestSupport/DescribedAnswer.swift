import Foundation
package import SettleServiceKit

/// What is said of an answer, held against a value that is answered.
package enum DescribedAnswer {
    /// What differs, a sentence each; here a member that the schema does not name is one, too.
    package static func differences(_ value: some Encodable, _ schema: APISchema) throws -> [String] {
        let text = String(decoding: try JSONCoding.encoder.encode(value), as: UTF8.self)
        return Validation(named: schema.named).differences(try JSONValue(text: text), schema.json, at: "")
    }
}

private struct Validation {
    let named: [String: JSONValue]

    func differences(_ value: JSONValue, _ schema: JSONValue, at place: String) -> [String] {
        if case .text(let reference)? = schema["$ref"] {
            let name = String(reference.split(separator: "/").last ?? "")
            guard let schema = named[name] else { return ["\(place): there is no schema \(name)"] }
            return differences(value, schema, at: place)
        }
        if let alternatives = schema["anyOf"]?.elements {
            let all = alternatives.map { differences(value, $0, at: place) }
            return all.contains([]) ? [] : all.flatMap(\.self)
        }
        if let words = schema["enum"]?.elements, !words.contains(value) { return ["\(place): no such word: \(value)"] }
        switch (schema["type"], value) {
        case (nil, _), (.text("string"), .text), (.text("integer"), .integer), (.text("boolean"), .bool),
            (.text("null"), .null):
            return []
        case (.text("array"), .array(let elements)):
            return elements.flatMap { differences($0, schema["items"] ?? [:], at: "\(place)[]") }
        case (.text("object"), .object(let members)): return differences(members, schema, at: place)
        default: return ["\(place): not \(schema["type"] ?? "what it is"): \(value)"]
        }
    }

    private func differences(_ members: [String: JSONValue], _ schema: JSONValue, at place: String) -> [String] {
        let missing = (schema["required"]?.elements ?? []).filter { name in
            if case .text(let name) = name { members[name] == nil } else { true }
        }
        return missing.map { "\(place): \($0) is missing" }
            + members.sorted { $0.key < $1.key }.flatMap { name, value in
                guard let member = schema["properties"]?[name] ?? schema["additionalProperties"] else {
                    return ["\(place).\(name) is answered, and not in the schema"]
                }
                return differences(value, member, at: "\(place).\(name)")
            }
    }
}
