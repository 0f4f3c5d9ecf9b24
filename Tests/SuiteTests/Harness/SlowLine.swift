import SettleCore
import Foundation
import SettleTestSupport
import Synchronization

/// A way to a service that takes its time: what comes in at `port` goes out there a while later, and so do the answers.
final class SlowLine: Sendable {
    let port: Int
    private let target: Int
    private let delay: Duration
    private let listener: Int32

    init(to target: Int, delay: Duration) throws {
        self.target = target
        self.delay = delay
        port = try Ports.take()
        guard let listener = Socket.listen(port: port) else { throw NotInTime("cannot listen") }
        self.listener = listener
        DedicatedThread.start(name: "slow line") { [self] in
            while let client = Socket.accept(listener) { connect(client) }
            close(listener)
        }
    }

    var url: String { "http://127.0.0.1:\(port)" }

    /// Takes no more connections; those that there are live as long as their ends.
    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    private func connect(_ client: Int32) {
        let server = Socket.open()
        guard Socket.connect(server, port: target) else {
            for socket in [client, server] { close(socket) }
            return
        }
        // The second of the two threads closes the sockets.
        let users = Users()
        pump(from: client, to: server, users)
        pump(from: server, to: client, users)
    }

    private final class Users: Sendable {
        let count = Atomic(2)
    }

    private func pump(from source: Int32, to sink: Int32, _ users: Users) {
        DedicatedThread.start(name: "slow line") { [delay] in
            while Socket.wait(source, for: POLLIN, timeout: .seconds(600)) {
                // What comes during the pause goes along with it.
                Thread.sleep(forTimeInterval: delay / .seconds(1))
                guard let bytes = Socket.receive(source), !bytes.isEmpty else { break }
                var rest = bytes[...]
                while !rest.isEmpty, case let count = Socket.send(sink, rest), count > 0 {
                    rest = rest.dropFirst(count)
                }
                guard rest.isEmpty else { break }
            }
            for socket in [source, sink] { shutdown(socket, Int32(SHUT_RDWR)) }
            if users.count.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 {
                for socket in [source, sink] { close(socket) }
            }
        }
    }
}
