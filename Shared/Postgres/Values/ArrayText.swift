/// The text form of arrays (PostgreSQL documentation, 8.15.6).
enum ArrayText {
    /// Elements that need no quotes.
    static func append<Element>(_ values: [Element], to bytes: inout [UInt8], text: (Element) -> String) {
        bytes.append(UInt8(ascii: "{"))
        for (index, value) in values.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.append(contentsOf: text(value).utf8)
        }
        bytes.append(UInt8(ascii: "}"))
    }

    /// Texts: always quoted, so that an empty one, a brace or the word NULL stays what it is.
    static func append(_ values: [String?], to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "{"))
        for (index, value) in values.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            guard let value else {
                bytes.append(contentsOf: "NULL".utf8)
                continue
            }
            bytes.append(UInt8(ascii: "\""))
            for byte in value.utf8 {
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { bytes.append(UInt8(ascii: "\\")) }
                bytes.append(byte)
            }
            bytes.append(UInt8(ascii: "\""))
        }
        bytes.append(UInt8(ascii: "}"))
    }
}
