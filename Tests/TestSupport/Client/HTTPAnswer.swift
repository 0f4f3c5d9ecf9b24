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

    private func parseHead() throws(HTTPFailure) -> (status: Int, headers: [String: String], length: Int)? {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else { return nil }
        var lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
        let words = lines.removeFirst().split(separator: " ")
        guard words.count >= 2, words[0] == "HTTP/1.1", let status = Int(words[1]) else {
            throw .malformed("status line")
        }
        let headers = lines.compactMap { line -> (String, String)? in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            return (
                line[..<colon].lowercased(), line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces)
            )
        }
        return (
            status, Dictionary(headers) { first, _ in first }, text[..<end.upperBound].utf8.count
        )
    }

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
