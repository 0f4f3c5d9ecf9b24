import Foundation
package import SettleServiceKit

/// What is said of a route's body, held against the type that the route decodes.
package enum DescribedBody {
    /// What differs, a sentence each.
    package static func differences(in operations: [APIOperation]) -> [String] {
        operations.flatMap { operation -> [String] in
            guard let body = operation.body else { return [] }
            return Comparison(body).differences.map { "\(operation.method) \(operation.path): \($0)" }
        }
    }
}

/// Documents are made from the schema, and the type decodes them, or must not.
private struct Comparison {
    private let body: APIOperation.Body
    private let named: [String: JSONValue]
    private let shapes: [JSONValue]

    init(_ body: APIOperation.Body) {
        self.body = body
        named = body.schema.named
        shapes = body.schema.json["anyOf"]?.elements ?? [body.schema.json]
    }

    var differences: [String] {
        var differences: [String] = []
        for shape in shapes.map(resolved) {
            let all = sample(shape, isWhole: true)
            if let why = refusal(of: all) { differences.append("what fits is refused: \(why)") }
            if let why = refusal(of: sample(shape, isWhole: false)) {
                differences.append("what lacks all that may be left out is refused: \(why)")
            }
            let required = shape["required"]?.elements ?? []
            for (name, property) in shape["properties"]?.objectMembers ?? [:] where !resolved(property).isAny {
                if refusal(of: all.setting(name, wrong(property))) == nil {
                    differences.append("\(name) of another type is taken: the type does not read it")
                }
                // Of several shapes the route itself tells which one is there.
                if shapes.count == 1, required.contains(.text(name)), refusal(of: all.setting(name, nil)) == nil {
                    differences.append("\(name) may be left out")
                }
            }
        }
        let said = Set(shapes.flatMap { (resolved($0)["properties"]?.objectMembers ?? [:]).keys })
        for shape in shapes.map(resolved) {
            guard let value = try? decoded(sample(shape, isWhole: true)) else { continue }
            let read = Mirror(reflecting: value).children.compactMap(\.label)
            differences += read.filter { !said.contains($0) }.map { "\($0) is read, and not in the schema" }
        }
        return differences
    }

    private func decoded(_ value: JSONValue) throws -> any Decodable {
        try body.decode(Data(try value.text.utf8))
    }

    private func refusal(of value: JSONValue) -> String? {
        do {
            _ = try decoded(value)
            return nil
        } catch { return "\(error) in \((try? value.text) ?? "")" }
    }

    private func resolved(_ schema: JSONValue) -> JSONValue {
        if case .text(let reference)? = schema["$ref"] {
            return resolved(named[String(reference.split(separator: "/").last ?? "")] ?? .null)
        }
        // What may be null, too, is told by what it is else.
        return schema["anyOf"]?.elements.first.map(resolved) ?? schema
    }

    private func sample(_ schema: JSONValue, isWhole: Bool) -> JSONValue {
        let schema = resolved(schema)
        if let first = schema["enum"]?.elements.first { return first }
        switch schema["type"] {
        case .text("string"):
            // One that fits the patterns that there are: those of XIDs and bounds.
            let isNamed = schema["format"] != nil || schema["pattern"] != nil
            return isNamed ? "01900000-0000-7000-8000-000000000001" : "x"
        case .text("integer"): return schema["minimum"] ?? 0
        case .text("boolean"): return true
        case .text("array"):
            let one = sample(schema["items"] ?? [:], isWhole: isWhole)
            if case .integer(let count)? = schema["minItems"] {
                return .array(Array(repeating: one, count: Int(count)))
            }
            return [one]
        case .text("object"):
            if let value = schema["additionalProperties"] { return ["x": sample(value, isWhole: isWhole)] }
            let required = schema["required"]?.elements ?? []
            return .object(
                (schema["properties"]?.objectMembers ?? [:])
                    .filter { isWhole || required.contains(.text($0.key)) }
                    .mapValues { sample($0, isWhole: isWhole) })
        default: return [:]
        }
    }

    private func wrong(_ schema: JSONValue) -> JSONValue {
        let schema = resolved(schema)
        return schema["type"] == "boolean" ? "x" : true
    }
}

extension JSONValue {
    fileprivate var isAny: Bool { self == [:] || self == ["type": "object", "properties": [:]] }

    fileprivate var objectMembers: [String: JSONValue] { if case .object(let members) = self { members } else { [:] } }

    fileprivate func setting(_ name: String, _ value: JSONValue?) -> JSONValue {
        var members = objectMembers
        members[name] = value
        return .object(members)
    }
}
