import Foundation

/// An answer, whole.
package struct HTTPAnswer: Sendable {
    package let status: Int
    /// Names in lower case.
    package let headers: [String: String]
    package let body: [UInt8]

    package var text: String { String(decoding: body, as: UTF8.self) }
    /// Whether it is the problem of a row that another transaction holds.
    package var isLocked: Bool { status == 409 && text.contains("/locked\"") }

    package func decode<T: Decodable>(_ type: T.Type = T.self) throws -> T {
        try JSONDecoder().decode(type, from: Data(body))
    }
}

/// Reads one answer out of the bytes that have come so far.
package struct HTTPAnswerParser {
    private(set) var bytes: [UInt8] = []
    private var head: (status: Int, headers: [String: String], length: Int)?

    package init() {}

    package mutating func append(_ more: some Sequence<UInt8>) { bytes.append(contentsOf: more) }

    /// The answer once it is there; nil while more is to come.
    package mutating func answer() throws(HTTPFailure) -> HTTPAnswer? {
        if head == nil { head = try parseHead() }
        guard let head else { return nil }
        let body = bytes.dropFirst(head.length)
        if head.headers["transfer-encoding"]?.lowercased() == "chunked" {
            return try Self.unchunked(Array(body)).map {
                HTTPAnswer(status: head.status, headers: head.headers, body: $0)
            }
        }
        guard let length = Int(head.headers["content-length"] ?? "0") else {
            throw .malformed("content-length")
        }
        return body.count < length
            ? nil : HTTPAnswer(status: head.status, headers: head.headers, body: Array(body.prefix(length)))
    }

    /// Byte by byte: a load client reads thousands of these a second on the processor that it measures.
    private func parseHead() throws(HTTPFailure) -> (status: Int, headers: [String: String], length: Int)? {
        let (carriageReturn, newline) = (UInt8(ascii: "\r"), UInt8(ascii: "\n"))
        var lines: [ArraySlice<UInt8>] = []
        var rest = bytes[...]
        while let end = rest.firstIndex(of: newline) {
            let line = rest[..<end]
            rest = rest[(end + 1)...]
            guard line.last == carriageReturn else { throw .malformed("line end") }
            if line.count == 1 { return try Self.head(lines, length: rest.startIndex) }
            lines.append(line.dropLast())
        }
        return nil
    }

    private static func head(
        _ lines: [ArraySlice<UInt8>], length: Int
    ) throws(HTTPFailure) -> (status: Int, headers: [String: String], length: Int) {
        let words = lines.first?.split(separator: UInt8(ascii: " ")) ?? []
        guard words.count >= 2, words[0].elementsEqual("HTTP/1.1".utf8), let status = Int(text(words[1])) else {
            throw .malformed("status line")
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
            let isBlank = { (byte: UInt8) in byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
            var value = line[(colon + 1)...].drop(while: isBlank)
            while value.last.map(isBlank) == true { value.removeLast() }
            let name = text(line[..<colon]).lowercased()
            if headers[name] == nil { headers[name] = text(value) }
        }
        return (status, headers, length)
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }

    private static func unchunked(_ bytes: [UInt8]) throws(HTTPFailure) -> [UInt8]? {
        var rest = bytes[...]
        var body: [UInt8] = []
        while let newline = rest.firstIndex(of: 10) {
            let line = String(decoding: rest[..<newline], as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
            guard let size = Int(line, radix: 16) else { throw .malformed("chunk size") }
            rest = rest[(newline + 1)...]
            guard rest.count >= size + 2 else { return nil }
            if size == 0 { return body }
            body += rest.prefix(size)
            rest = rest.dropFirst(size + 2)
        }
        return nil
    }
}
