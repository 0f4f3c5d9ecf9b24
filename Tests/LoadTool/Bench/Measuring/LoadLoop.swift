import Foundation
import SettleCore
import SettleTestSupport

/// Places the orders of one run on one thread, over as many connections as may be under way at once: what the load costs
/// is taken from the services, so it has to be little.
final class LoadLoop {
    private struct Connection {
        let port: Int
        var socket: Int32
        var parser = HTTPAnswerParser()
        /// When the request that is under way was meant to begin, and was sent; nil while there is none.
        var intended: Duration?
        var sent: Duration = .zero
    }

    private static let patience: Duration = .seconds(30)

    private var schedule: Schedule
    private var requests: OrderRequests
    private var connections: [Connection] = []
    private var idle: [Int] = []
    private var polled: [pollfd] = []
    private var result = LoadResult()
    private var begin = ContinuousClock.now
    private var pacemaker: Pacemaker?

    private init(
        _ scenario: Scenario, ports: [Int], run: String, for duration: Duration, limit: Int, atMost: Int
    ) throws {
        schedule = Schedule(scenario.pace, for: duration, limit: limit)
        requests = OrderRequests(scenario, run: run)
        let count =
            switch scenario.pace {
            case .closed(let clients): clients
            case .open: atMost
            }
        for index in 0..<count {
            let port = ports[index % ports.count]
            connections.append(Connection(port: port, socket: try Self.connect(port)))
            polled.append(pollfd(fd: -1, events: Int16(POLLIN), revents: 0))
            idle.append(index)
        }
        begin = .now
        if case .open(let perSecond) = scenario.pace {
            let pacemaker = try Pacemaker(Int(duration / .seconds(1) * Double(perSecond)), perSecond: perSecond)
            polled.append(pollfd(fd: pacemaker.descriptor, events: Int16(POLLIN), revents: 0))
            self.pacemaker = pacemaker
        }
    }

    deinit { for connection in connections { close(connection.socket) } }

    /// Returns once every request that began within `duration` has its answer.
    ///
    /// - Parameters:
    ///   - ports: where order listens; the connections share them out.
    ///   - limit: how many requests there are at most.
    ///   - atMost: how many requests of an open loop may be under way at once; beyond it they wait, and the wait counts.
    static func run(
        _ scenario: Scenario, ports: [Int], run: String, for duration: Duration, limit: Int = .max, atMost: Int = 256
    ) async throws -> LoadResult {
        try await withCheckedContinuation { done in
            DedicatedThread.start(name: "load") {
                done.resume(
                    returning: Result {
                        try LoadLoop(
                            scenario, ports: ports, run: run, for: duration, limit: limit, atMost: atMost
                        ).run()
                    })
            }
        }.get()
    }

    private var now: Duration { .now - begin }

    private func run() throws -> LoadResult {
        while true {
            let wait = try sendDue()
            if wait == nil, idle.count == connections.count { return result }
            Socket.wait(&polled, timeout: min(wait ?? .seconds(1), .seconds(1)))
            takeBeat()
            for index in connections.indices where polled[index].fd >= 0 {
                if polled[index].revents != 0 {
                    try receive(index)
                } else if now - connections[index].sent > Self.patience {
                    try giveUp(index)
                }
            }
        }
    }

    /// It comes last of what is polled.
    private func takeBeat() {
        guard let pacemaker, let last = polled.last, last.revents != 0 else { return }
        // At its end there is nothing more to wake up for.
        if Socket.receive(pacemaker.descriptor)?.isEmpty != false { polled[polled.count - 1].fd = -1 }
    }

    /// Sends what is due; how long until the next is, nil when none comes any more or all connections are busy.
    private func sendDue() throws -> Duration? {
        while let index = idle.last {
            let now = now
            guard let intended = schedule.take(at: now) else { return schedule.due(at: now).map { $0 - now } }
            idle.removeLast()
            connections[index].intended = intended
            connections[index].sent = now
            polled[index].fd = connections[index].socket
            var rest = requests.next()[...]
            while !rest.isEmpty {
                let count = Socket.send(connections[index].socket, rest)
                // The server has closed: reading will say so.
                guard count > 0 else { break }
                rest = rest.dropFirst(count)
            }
        }
        return nil
    }

    private func receive(_ index: Int) throws {
        guard let bytes = Socket.receive(connections[index].socket), !bytes.isEmpty else { return try giveUp(index) }
        connections[index].parser.append(bytes)
        guard let answer = try connections[index].parser.answer(), let intended = connections[index].intended else {
            return
        }
        let now = now
        result.latencies.record(now - intended)
        result.elapsed = now
        if answer.status == 201 {
            result.accepted += 1
        } else {
            result.refused[Self.name(of: answer), default: 0] += 1
        }
        if answer.headers["connection"]?.lowercased() == "close" { try reconnect(index) }
        free(index)
    }

    private func giveUp(_ index: Int) throws {
        result.unanswered += 1
        result.elapsed = now
        try reconnect(index)
        free(index)
    }

    private func free(_ index: Int) {
        connections[index].parser = HTTPAnswerParser()
        connections[index].intended = nil
        polled[index].fd = -1
        idle.append(index)
    }

    private func reconnect(_ index: Int) throws {
        close(connections[index].socket)
        connections[index].socket = try Self.connect(connections[index].port)
    }

    private static func connect(_ port: Int) throws -> Int32 {
        let socket = Socket.open()
        guard Socket.connect(socket, port: port) else {
            close(socket)
            throw HTTPFailure.notConnected
        }
        return socket
    }

    /// The status and the kind of problem.
    private static func name(of answer: HTTPAnswer) -> String {
        struct Problem: Decodable { let type: String? }
        // An answer that is no problem document has no type.
        let type = (try? answer.decode(Problem.self))?.type?.split(separator: "/").last
        return ["\(answer.status)", type.map(String.init)].compactMap(\.self).joined(separator: " ")
    }
}
