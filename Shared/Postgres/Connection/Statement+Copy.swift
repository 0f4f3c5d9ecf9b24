extension Statement {
    static let copyRefusal = "COPY from or to the client is not possible here"

    /// Whether it is a COPY from STDIN or to STDOUT, which a pipeline has no way to carry.
    ///
    /// COPY is a statement of its own (it can neither be prepared by SQL nor be part of a function), so its word comes first.
    /// One to or from a file of the server that happens to have either word in its text is refused, too.
    var isClientCopy: Bool {
        // Nearly every statement starts with a letter, and nearly none of them with this one.
        if let first = sql.utf8.first, (first | 0x20) != UInt8(ascii: "c"), Self.isLetter(first) { return false }
        let text = Self.withoutLeadingSpace(sql.utf8[...])
        guard text.count >= 4, zip(text, "copy".utf8).allSatisfy({ $0 | 0x20 == $1 }) else { return false }
        let words = sql.lowercased()
        return words.contains("stdin") || words.contains("stdout")
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    /// Drops white space, semicolons and comments, of which those of the second kind nest.
    private static func withoutLeadingSpace(_ text: Substring.UTF8View) -> Substring.UTF8View {
        var rest = text
        while let first = rest.first {
            if first <= 0x20 || first == UInt8(ascii: ";") {
                rest = rest.dropFirst()
            } else if rest.starts(with: "--".utf8) {
                rest = rest.drop { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
            } else if rest.starts(with: "/*".utf8) {
                var depth = 0
                repeat {
                    if rest.starts(with: "/*".utf8) {
                        depth += 1
                        rest = rest.dropFirst(2)
                    } else if rest.starts(with: "*/".utf8) {
                        depth -= 1
                        rest = rest.dropFirst(2)
                    } else {
                        rest = rest.dropFirst()
                    }
                } while depth > 0 && !rest.isEmpty
            } else {
                break
            }
        }
        return rest
    }
}
