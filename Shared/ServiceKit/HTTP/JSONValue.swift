import Foundation

/// JSON whose form its owner alone knows.
package enum JSONValue: Codable, Sendable, Hashable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case text(String)
    case array([JSONValue])
    case object([String: JSONValue])

    package init(from decoder: any Decoder) throws {
        if let values = try? decoder.container(keyedBy: MemberName.self) {  // no object: then one of the others
            self = .object(
                try values.allKeys.reduce(into: [:]) {
                    $0[$1.stringValue] = try values.decode(JSONValue.self, forKey: $1)
                })
            return
        }
        if var values = try? decoder.unkeyedContainer() {
            var array: [JSONValue] = []
            while !values.isAtEnd { array.append(try values.decode(JSONValue.self)) }
            self = .array(array)
            return
        }
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let bool = try? value.decode(Bool.self) {
            self = .bool(bool)
        } else if let integer = try? value.decode(Int64.self) {
            self = .integer(integer)
        } else if let number = try? value.decode(Double.self) {
            self = .number(number)
        } else {
            self = .text(try value.decode(String.self))
        }
    }

    package func encode(to encoder: any Encoder) throws {
        switch self {
        case .object(let object):
            var values = encoder.container(keyedBy: MemberName.self)
            for (name, value) in object { try values.encode(value, forKey: MemberName(stringValue: name)) }
        case .array(let array): try array.encode(to: encoder)
        case .null:
            var value = encoder.singleValueContainer()
            try value.encodeNil()
        case .bool(let bool): try bool.encode(to: encoder)
        case .integer(let integer): try integer.encode(to: encoder)
        case .number(let number): try number.encode(to: encoder)
        case .text(let text): try text.encode(to: encoder)
        }
    }

    /// Nil when it is no object, or has no such member.
    package subscript(_ name: String) -> JSONValue? {
        if case .object(let members) = self { members[name] } else { nil }
    }

    /// None when it is no array.
    package var elements: [JSONValue] { if case .array(let elements) = self { elements } else { [] } }

    /// The names of its members, sorted; none when it is no object.
    package var keys: [String] { if case .object(let members) = self { members.keys.sorted() } else { [] } }

    package var isObject: Bool { if case .object = self { true } else { false } }

    /// The same text for the same value, whatever the order of its keys was.
    package var text: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        }
    }

    /// Of such a text.
    package init(text: String) throws {
        self = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
    }

    private struct MemberName: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}

// Written down in code.
extension JSONValue: ExpressibleByStringLiteral, ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral,
    ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral
{
    package init(stringLiteral value: String) { self = .text(value) }
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(Dictionary(elements, uniquingKeysWith: { $1 }))
    }

    /// An object of those members that there are.
    package static func members(_ members: KeyValuePairs<String, JSONValue?>) -> JSONValue {
        .object(
            Dictionary(
                members.compactMap { name, value in value.map { (name, $0) } }, uniquingKeysWith: { $1 }))
    }
}
