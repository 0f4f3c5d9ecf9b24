/// A place in a JSON document, as a client would write it: `items[0].quantity`; the document itself is "the body".
struct JSONPath: CustomStringConvertible {
    private enum Part {
        case name(String)
        case index(Int)
    }

    private var parts: [Part] = []

    init() {}

    init(_ keys: [any CodingKey]) { parts = keys.map { $0.intValue.map(Part.index) ?? .name($0.stringValue) } }

    func appending(index: Int) -> JSONPath {
        var path = self
        path.parts.append(.index(index))
        return path
    }

    func appending(_ name: String) -> JSONPath {
        var path = self
        path.parts.append(.name(name))
        return path
    }

    /// What was an element of a list turns out to be a member.
    func renamed(_ name: String) -> JSONPath {
        var path = self
        path.parts.removeLast()
        path.parts.append(.name(name))
        return path
    }

    var description: String {
        if parts.isEmpty { return "the body" }
        return parts.reduce(into: "") { text, part in
            switch part {
            case .name(let name): text += text.isEmpty ? name : "." + name
            case .index(let index): text += "[\(index)]"
            }
        }
    }
}
