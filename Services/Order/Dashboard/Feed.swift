import Foundation
import HTTPTypes
import Hummingbird
import Logging
import ServiceLifecycle
import SettleServiceKit
import Synchronization

/// What is told once a second to all pages that are open; nothing is asked while none is.
final class Feed: Service {
    /// More pages at once are turned away.
    private static let limit = 100

    private struct Listeners {
        var next = 0
        var all: [Int: (showsOrders: Bool, continuation: AsyncStream<ByteBuffer>.Continuation)] = [:]
        var isOver = false
    }

    private let store: FeedStore
    private let participants: [(name: String, client: ServiceClient)]
    private let logger: Logger
    private let listeners = Mutex(Listeners())
    /// Anything in it says that somebody listens.
    private let (wake, waker) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))

    init(store: FeedStore, participants: [(name: String, client: ServiceClient)], logger: Logger) {
        self.store = store
        self.participants = participants
        self.logger = logger
    }

    /// What a page is told; nil when there are too many pages, or the service is stopping.
    ///
    /// - Parameter showsOrders: whether the page may see the orders of all users.
    func listen(showsOrders: Bool) -> AsyncStream<ByteBuffer>? {
        let (states, continuation) = AsyncStream<ByteBuffer>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let id: Int? = listeners.withLock { listeners in
            guard !listeners.isOver, listeners.all.count < Self.limit else { return nil }
            listeners.next += 1
            listeners.all[listeners.next] = (showsOrders, continuation)
            return listeners.next
        }
        guard let id else { return nil }
        continuation.onTermination = { [weak self] _ in
            self?.listeners.withLock { _ = $0.all.removeValue(forKey: id) }
        }
        waker.yield(())
        return states
    }

    /// Until graceful shutdown; then the streams end, so that their connections can.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await _ in self.wake {
                while !Task.isCancelled, self.listeners.withLock({ !$0.all.isEmpty }) {
                    await self.tell()
                    // Cancelled or not, the loop sees it.
                    try? await Task.sleep(for: .seconds(1))
                }
            }
        }
        let left = listeners.withLock { listeners in
            listeners.isOver = true
            return listeners.all.values.map(\.continuation)
        }
        for continuation in left { continuation.finish() }
    }

    private func tell() async {
        async let others = look(at: participants)
        var state: FeedState
        do {
            state = try await store.look(now: Date())
        } catch {
            logger.debug("the feed could not ask the database", metadata: ["error": "\(error)"])
            return send(Self.event("away", "{}"), showsOrders: nil)
        }
        state.participants = await others
        do {
            send(Self.event("state", try Self.text(state)), showsOrders: true)
            state.orders = nil
            send(Self.event("state", try Self.text(state)), showsOrders: false)
        } catch {
            logger.error("the feed could not be written", metadata: ["error": "\(error)"])
        }
    }

    private func send(_ event: ByteBuffer, showsOrders: Bool?) {
        let some = listeners.withLock { listeners in
            listeners.all.values.filter { showsOrders == nil || $0.showsOrders == showsOrders }.map(\.continuation)
        }
        for continuation in some { continuation.yield(event) }
    }

    private static func text(_ state: FeedState) throws -> String {
        String(decoding: try JSONCoding.encoder.encode(state), as: UTF8.self)
    }

    /// One line of data: JSON has no line feeds.
    private static func event(_ name: String, _ data: String) -> ByteBuffer {
        ByteBuffer(string: "event: \(name)\ndata: \(data)\n\n")
    }

    private func look(
        at participants: [(name: String, client: ServiceClient)]
    ) async -> [FeedState.Participant] {
        await withTaskGroup { group in
            for (name, client) in participants { group.addTask { await Self.look(at: name, client) } }
            var all: [FeedState.Participant] = []
            for await one in group { all.append(one) }
            return all.sorted { $0.name < $1.name }
        }
    }

    private struct Branches: Decodable {
        struct Branch: Decodable {}
        let branches: [Branch]
    }

    private struct Letters: Decodable {
        struct Counts: Decodable {
            let dead: Int
            let waiting: Int
        }
        let counts: Counts
    }

    private static func look(at name: String, _ client: ServiceClient) async -> FeedState.Participant {
        do {
            async let branches = client.send(.get, "/transactions?limit=1000", timeout: .seconds(2))
            async let letters = client.send(.get, "/dead-letters?limit=1", timeout: .seconds(2))
            let undecided = try client.decode(try await branches, as: Branches.self).branches.count
            let counts = try client.decode(try await letters, as: Letters.self).counts
            return FeedState.Participant(
                name: name, isUp: true, undecided: undecided, deadLetters: counts.dead, setAside: counts.waiting)
        } catch {
            // That it is away is all that the page shows, and the service's own log says why.
            return FeedState.Participant(name: name, isUp: false)
        }
    }
}
