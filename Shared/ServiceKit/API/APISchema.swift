/// What a JSON value is like: a schema of JSON Schema 2020-12, which is the one of OpenAPI 3.1.
public struct APISchema: Sendable {
    /// The schema, or a reference to it.
    package let json: JSONValue
    /// Those that it refers to, by their names.
    package private(set) var named: [String: JSONValue] = [:]  // ours

    init(_ json: JSONValue, using parts: [APISchema] = []) {
        self.json = json
        for part in parts { named.merge(part.named) { $1 } }
    }

    /// A text of so many Unicode scalars.
    public static func text(
        _ length: ClosedRange<Int>? = nil, pattern: String? = nil, format: String? = nil
    ) -> APISchema {
        APISchema(
            .members([
                "type": "string", "minLength": length.map { .integer(Int64($0.lowerBound)) },
                "maxLength": length.map { .integer(Int64($0.upperBound)) }, "pattern": pattern.map { .text($0) },
                "format": format.map { .text($0) },
            ]))
    }

    /// Any text.
    public static let text: APISchema = .text(nil)
    /// A UUID in its usual form.
    public static let uuid = text(format: "uuid")
    /// A point in time: ISO 8601, with milliseconds.
    public static let time = text(format: "date-time")
    /// Milliseconds since 1970.
    public static let milliseconds = integer(0...Int64.max)
    /// How many there are.
    public static let count = integer(0...Int64.max)
    /// A whole number of 64 bits.
    public static let integer: APISchema = .integer(Int64.min...Int64.max)
    /// Any number.
    public static let number = APISchema(["type": "number"])
    /// True or false.
    public static let bool = APISchema(["type": "boolean"])
    /// JSON of any form.
    public static let any = APISchema([:])

    /// A whole number between two bounds, both allowed.
    public static func integer(_ range: ClosedRange<Int64>) -> APISchema {
        APISchema([
            "type": "integer", "format": "int64", "minimum": .integer(range.lowerBound),
            "maximum": .integer(range.upperBound),
        ])
    }

    /// One of a few words.
    public static func choice(_ words: [String]) -> APISchema {
        APISchema(["type": "string", "enum": .array(words.map { .text($0) })])
    }

    /// So many of them.
    public static func array(of element: APISchema, _ count: ClosedRange<Int>? = nil) -> APISchema {
        APISchema(
            .members([
                "type": "array", "items": element.json, "minItems": count.map { .integer(Int64($0.lowerBound)) },
                "maxItems": count.map { .integer(Int64($0.upperBound)) },
            ]), using: [element])
    }

    /// An object with these members; more may be there, now or later.
    public static func object(
        _ members: KeyValuePairs<String, APISchema>, optional: KeyValuePairs<String, APISchema> = [:]
    ) -> APISchema {
        let all = members.map(\.self) + optional.map(\.self)
        return APISchema(
            .members([
                "type": "object", "required": members.isEmpty ? nil : .array(members.map { .text($0.key) }),
                "properties": .object(Dictionary(all.map { ($0.key, $0.value.json) }, uniquingKeysWith: { $1 })),
            ]), using: all.map(\.value))
    }

    /// The same for what a client sends, who may say null for what may be left out.
    public static func request(
        _ members: KeyValuePairs<String, APISchema>, optional: KeyValuePairs<String, APISchema> = [:]
    ) -> APISchema {
        let all = object(members, optional: optional)
        guard case .object(var json) = all.json, case .object(var properties)? = json["properties"] else { return all }
        for (name, schema) in optional { properties[name] = schema.orNull.json }
        json["properties"] = .object(properties)
        var nullable = APISchema(.object(json))
        nullable.named = all.named
        return nullable
    }

    /// An object of members that are alike, whatever they are called.
    public static func map(of value: APISchema) -> APISchema {
        APISchema(["type": "object", "additionalProperties": value.json], using: [value])
    }

    /// One of these, or several.
    public static func either(_ schemas: [APISchema]) -> APISchema {
        APISchema(["anyOf": .array(schemas.map(\.json))], using: schemas)
    }

    /// This, or null.
    public var orNull: APISchema { .either([self, APISchema(["type": "null"])]) }

    /// The same, said once in the document and referred to by name.
    public func named(_ name: String) -> APISchema {
        var reference = APISchema(["$ref": .text("#/components/schemas/\(name)")], using: [self])
        reference.named[name] = json
        return reference
    }

    /// The same with a sentence about it.
    public func about(_ description: String) -> APISchema { with("description", .text(description)) }

    /// The same with a value that a client may try.
    public func example(_ value: String) -> APISchema { with("examples", .array([.text(value)])) }

    /// The same with what counts where nothing is said.
    public func `default`(_ value: Int64) -> APISchema { with("default", .integer(value)) }

    /// The same object with more members that must be there.
    package func adding(_ members: KeyValuePairs<String, APISchema>) -> APISchema { adding(.object(members)) }

    /// The same object with more members that may be there.
    package func mayHold(_ members: KeyValuePairs<String, APISchema>) -> APISchema {
        adding(.object([:], optional: members))
    }

    private func adding(_ other: APISchema) -> APISchema {
        guard case .object(var json) = json, case .object(let more) = other.json else { return self }
        for (name, value) in more {
            switch (json[name], value) {
            case (.object(let old), .object(let new)): json[name] = .object(old.merging(new) { $1 })
            case (.array(let old), .array(let new)): json[name] = .array(old + new)
            default: json[name] = value
            }
        }
        return APISchema(.object(json), using: [self, other])
    }

    private func with(_ name: String, _ value: JSONValue) -> APISchema {
        guard case .object(var members) = json else { return self }
        members[name] = value
        return APISchema(.object(members), using: [self])
    }
}
