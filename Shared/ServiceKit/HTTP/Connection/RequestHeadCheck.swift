import Foundation
import NIOHTTP1

/// What a request's head must be like before anything looks at it. The parser has checked the grammar.
enum RequestHeadCheck {
    /// What is wrong with it; nil if nothing.
    static func problem(_ head: HTTPRequestHead) -> Problem? {
        textProblem(head) ?? hostProblem(head) ?? lengthProblem(head)
    }

    /// HTTP/1.1 or a later 1.x.
    private static func isCurrent(_ head: HTTPRequestHead) -> Bool { head.version.minor >= 1 }

    /// Whether the answer to this request is the last one of its connection.
    static func isLast(_ head: HTTPRequestHead) -> Bool {
        // A client of HTTP/1.0 may tell the end of an answer by the end of the connection. After a request that asks for
        // another protocol the parser reads nothing more.
        !isCurrent(head) || !head.isKeepAlive || head.method == .CONNECT || head.headers.contains(name: "Upgrade")
    }

    /// Whether the client waits to be told that it may send the body (RFC 9110, 10.1.1).
    static func awaitsContinue(_ head: HTTPRequestHead) -> Bool {
        isCurrent(head) && head.headers.first(name: "Expect")?.lowercased() == "100-continue"
    }

    /// Bytes that are not UTF-8 all became the same character, U+FFFD: two keys or names would be taken for one.
    private static func textProblem(_ head: HTTPRequestHead) -> Problem? {
        // The parser takes nothing but ASCII in the target.
        if head.uri.utf8.contains(UInt8(ascii: "%")), head.uri.removingPercentEncoding == nil {
            return .badRequest("the request target is not percent-encoded UTF-8")
        }
        let field = head.headers.first { holdsReplacement($0.value) }
        return field.map { .badRequest("the header \($0.name) is not UTF-8") }
    }

    private static func holdsReplacement(_ text: String) -> Bool {
        // Hardly any header has a byte like this, and looking for bytes is quick.
        text.utf8.contains(0xEF) && text.unicodeScalars.contains("\u{FFFD}")
    }

    /// RFC 9112, 3.2: exactly one, or proxies and servers may disagree about who is meant.
    private static func hostProblem(_ head: HTTPRequestHead) -> Problem? {
        var count = 0
        for (name, value) in head.headers where name.utf8.count == 4 && name.lowercased() == "host" {
            count += 1
            guard value.utf8.allSatisfy(isOfHost) else { return .badRequest("the Host header is not a host") }
        }
        if count > 1 { return .badRequest("the Host header must not be there twice") }
        if count == 0, isCurrent(head) { return .badRequest("the Host header is missing") }
        return nil
    }

    /// RFC 3986, 3.2: a name or an address, and a port.
    private static func isOfHost(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-._~!$&'()*+,;=%[]:".utf8.contains(byte)
        }
    }

    /// The parser has seen to it that it is a number, which need not fit an Int.
    private static func lengthProblem(_ head: HTTPRequestHead) -> Problem? {
        guard let text = head.headers.first(name: "Content-Length") else { return nil }
        return (Int(text) ?? .max) > HTTPLimits.maxBodyBytes ? .contentTooLarge : nil
    }
}
