import Foundation
import SettleCore

/// One kept-alive HTTP/1.1 connection over a plain socket, for one thread that may block.
///
/// A library would hide what these tests are about: whether a server that dies or stops left a request unseen,
/// unanswered or half answered.
package final class HTTPConnection {
    private let port: Int
    private let timeout: Duration
    private var socket: Int32 = -1

    package init(port: Int, timeout: Duration = .seconds(15)) {
        self.port = port
        self.timeout = timeout
    }

    deinit { disconnect() }

    /// One request on a connection of its own, away from the threads that must not block.
    package static func send(
        _ method: String, _ port: Int, _ path: String, headers: [String: String] = [:], body: [UInt8] = []
    ) async -> Result<HTTPAnswer, HTTPFailure> {
        await withCheckedContinuation { done in
            DedicatedThread.start(name: "request") {
                done.resume(
                    returning: Result { () throws(HTTPFailure) in
                        try HTTPConnection(port: port).send(method, path, headers: headers, body: body)
                    })
            }
        }
    }

    package func send(
        _ method: String, _ path: String, headers: [String: String] = [:], body: [UInt8] = []
    ) throws(HTTPFailure) -> HTTPAnswer {
        if socket < 0 { socket = try Self.connect(port: port) }
        var head = "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nContent-Length: \(body.count)\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        do {
            try write(Array(head.utf8) + Array("\r\n".utf8) + body)
            let answer = try read()
            if answer.headers["connection"]?.lowercased() == "close" { disconnect() }
            return answer
        } catch {
            disconnect()
            throw error
        }
    }

    private func disconnect() {
        if socket >= 0 { close(socket) }
        socket = -1
    }

    private static func connect(port: Int) throws(HTTPFailure) -> Int32 {
        let socket = Socket.open()
        guard Socket.connect(socket, port: port) else {
            close(socket)
            throw .notConnected
        }
        return socket
    }

    private func write(_ bytes: [UInt8]) throws(HTTPFailure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard Socket.wait(socket, for: POLLOUT, timeout: timeout) else { throw .timeout(answerBytes: 0) }
            let count = Socket.send(socket, rest)
            // The server has closed: perhaps it answered first, so reading decides.
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    private func read() throws(HTTPFailure) -> HTTPAnswer {
        var parser = HTTPAnswerParser()
        let deadline = ContinuousClock.now + timeout
        while true {
            if let answer = try parser.answer() { return answer }
            guard Socket.wait(socket, for: POLLIN, timeout: deadline - .now) else {
                throw .timeout(answerBytes: parser.bytes.count)
            }
            guard let received = Socket.receive(socket), !received.isEmpty else {
                throw .closed(answerBytes: parser.bytes.count)
            }
            parser.append(received)
        }
    }
}
