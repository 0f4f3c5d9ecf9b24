/// Whether bytes are JSON as RFC 8259 has it, looked at before they are decoded.
///
/// Foundation's decoder takes much that is none: trailing commas, UTF-16, a byte order mark, and in fields that nobody
/// reads any number, escape, control character or byte. It finds bad numbers in the others late, when it no longer says
/// whether the text or only a value in it was wrong. Such a body is to be answered 400, and some are kept as they came,
/// for PostgreSQL, which refuses them. `JSONBodyTests` holds both against each other. This pass takes half a microsecond
/// for the body of an order, a twentieth of what decoding it takes.
struct JSONSyntax {
    /// Deeper documents are refused: no body of ours nests by more than a few levels.
    static let maxDepth = 64

    private let bytes: [UInt8]
    private var index = 0
    private var holdsNull = false
    private var holdsFraction = false
    /// Where the scan is; only kept when numbers are looked for.
    private var path: JSONPath?
    private var numbers: [Number] = []

    /// A number in a document.
    struct Number {
        let path: JSONPath
        let place: Range<Int>
        let text: String
    }

    /// What is known of a document's text.
    struct Findings {
        var isValid: Bool
        /// Some string has the escape of U+0000.
        var holdsNull: Bool
        /// Some number has a fraction or an exponent.
        var holdsFraction: Bool
    }

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    static func check(_ bytes: [UInt8]) -> Findings {
        var syntax = JSONSyntax(bytes)
        let isValid = syntax.document() && String(validating: bytes, as: UTF8.self) != nil
        return Findings(isValid: isValid, holdsNull: syntax.holdsNull, holdsFraction: syntax.holdsFraction)
    }

    /// The numbers of a valid document that are not written as whole numbers of 64 bits, and where they are.
    static func unusualNumbers(_ bytes: [UInt8]) -> [Number] {
        var syntax = JSONSyntax(bytes)
        syntax.path = JSONPath()
        return syntax.document() ? syntax.numbers : []
    }

    private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

    private mutating func document() -> Bool {
        skipSpace()
        guard value(depth: 0) else { return false }
        skipSpace()
        return index == bytes.count
    }

    private mutating func value(depth: Int) -> Bool {
        switch next {
        case UInt8(ascii: "{"): list(end: UInt8(ascii: "}"), depth: depth) { $0.member(depth: depth + 1) }
        case UInt8(ascii: "["): list(end: UInt8(ascii: "]"), depth: depth) { $0.value(depth: depth + 1) }
        case UInt8(ascii: "\""): string()
        case UInt8(ascii: "t"): word("true")
        case UInt8(ascii: "f"): word("false")
        case UInt8(ascii: "n"): word("null")
        default: number()
        }
    }

    private mutating func list(end: UInt8, depth: Int, _ element: (inout JSONSyntax) -> Bool) -> Bool {
        guard depth < Self.maxDepth else { return false }
        index += 1
        skipSpace()
        if take(end) { return true }
        let outer = path
        var count = 0
        while true {
            skipSpace()
            if outer != nil { path = outer?.appending(index: count) }
            guard element(&self) else { return false }
            path = outer
            count += 1
            skipSpace()
            if take(end) { return true }
            guard take(UInt8(ascii: ",")) else { return false }
        }
    }

    private mutating func member(depth: Int) -> Bool {
        let start = index
        guard next == UInt8(ascii: "\""), string() else { return false }
        path = path?.renamed(String(decoding: bytes[start + 1..<index - 1], as: UTF8.self))
        skipSpace()
        guard take(UInt8(ascii: ":")) else { return false }
        skipSpace()
        return value(depth: depth)
    }

    private mutating func string() -> Bool {
        index += 1
        while let byte = next {
            index += 1
            switch byte {
            case UInt8(ascii: "\""): return true
            case UInt8(ascii: "\\"): guard escape() else { return false }
            case 0..<0x20: return false
            default: break
            }
        }
        return false
    }

    private mutating func escape() -> Bool {
        guard let byte = next else { return false }
        index += 1
        switch byte {
        case UInt8(ascii: "u"):
            guard index + 4 <= bytes.count else { return false }
            let digits = bytes[index..<index + 4]
            index += 4
            if digits.allSatisfy({ $0 == UInt8(ascii: "0") }) { holdsNull = true }
            return digits.allSatisfy(Self.isHexDigit)
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return true
        default: return false
        }
    }

    private mutating func number() -> Bool {
        let start = index
        guard literal() else { return false }
        if let path {
            let text = String(decoding: bytes[start..<index], as: UTF8.self)
            if Int64(text) == nil { numbers.append(Number(path: path, place: start..<index, text: text)) }
        }
        return true
    }

    private mutating func literal() -> Bool {
        take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) {
            guard digits() else { return false }
        }
        if take(UInt8(ascii: ".")) {
            holdsFraction = true
            guard digits() else { return false }
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            holdsFraction = true
            if !take(UInt8(ascii: "+")) { take(UInt8(ascii: "-")) }
            guard digits() else { return false }
        }
        return true
    }

    /// At least one.
    private mutating func digits() -> Bool {
        let start = index
        while let byte = next, Self.isDigit(byte) { index += 1 }
        return index > start
    }

    private mutating func word(_ word: String) -> Bool {
        let end = index + word.utf8.count
        guard end <= bytes.count, bytes[index..<end].elementsEqual(word.utf8) else { return false }
        index = end
        return true
    }

    @discardableResult
    private mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        index += 1
        return true
    }

    private mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { index += 1 }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
    }
}
