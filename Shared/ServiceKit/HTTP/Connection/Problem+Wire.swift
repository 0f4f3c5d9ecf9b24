import Foundation
import HTTPTypes
import NIOCore

extension Problem {
    /// 408.
    static let requestTimeout = Problem(
        .requestTimeout, code: "request-timeout", title: "Request timeout",
        detail: "the request took too long to arrive")

    /// The whole answer as it goes over the wire, the last one of its connection; for where no route is reached.
    func wire(omitsBody: Bool) -> ByteBuffer {
        var text = "HTTP/1.1 \(status.code) \(status.reasonPhrase)\r\n"
        for field in headers { text += "\(field.name.rawName): \(field.value)\r\n" }
        let document = document
        text +=
            "Content-Type: application/problem+json\r\nContent-Length: \(document.count)\r\nConnection: close\r\n\r\n"
        var buffer = ByteBuffer(string: text)
        if !omitsBody { buffer.writeBytes(document) }
        return buffer
    }
}
