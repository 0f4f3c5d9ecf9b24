public import Settle
public import SettleRabbitMQ
import Synchronization

/// A broker in memory: queues, copies, losses, redeliveries. Nothing happens by itself; ``run()`` does all that is to do.
///
/// ```swift
/// let broker = InMemoryBroker(copies: 2)
/// let sender = InMemorySender([sendMail], broker: broker) { answered in [] }
/// _ = InMemoryReceiver(sendMail, applier: MailApplier(), broker: broker)
/// try sender.send(TaskDraft(sendMail, businessKey: "o1", body: SendMail(orderId: "o1")))
/// try await broker.run()  // until everything is answered
/// ```
/// The real sender and receiver can use it, too: it is a `MessagePublisher`, and takes their subscriptions.
public final class InMemoryBroker: MessagePublisher {
    private struct Subscriber {
        let subscription: Subscription
        /// Whether its acknowledgements are events.
        let takesTasks: Bool
    }

    private struct State {
        var topology = Topology()
        var queues: [String: [Delivery]] = [:]
        var subscribers: [Subscriber] = []
        var parties: [any InMemoryParty] = []
        var events: [TaskEvent] = []
        var isUp = true
        var toLose: Int
    }

    private let state: Mutex<State>
    private let copies: Int
    private let reverses: Bool

    /// - Parameters:
    ///   - copies: how often each message is delivered.
    ///   - losing: how many of the first messages are lost, though confirmed.
    ///   - reverses: whether what came last is delivered first.
    public init(copies: Int = 1, losing: Int = 0, reverses: Bool = false) {
        self.copies = max(1, copies)
        self.reverses = reverses
        state = Mutex(State(toLose: losing))
    }

    /// What happened so far.
    public var events: [TaskEvent] { state.withLock { $0.events } }
    /// The messages that wait in `queue`.
    public func messages(in queue: String) -> [Delivery] { state.withLock { $0.queues[queue] ?? [] } }

    /// Has the broker be there, or not.
    public func setUp(_ isUp: Bool) { state.withLock { $0.isUp = isUp } }

    /// Exchanges (direct and fanout), queues and bindings.
    public func declare(_ topology: Topology) { state.withLock { $0.topology = $0.topology.merging(topology) } }

    /// Takes a receiver: also a real one's, an `TaskReceiver` or a `AnswerReceiver`.
    public func subscribe(_ subscription: Subscription) { subscribe(subscription, takesTasks: false) }

    func subscribe(_ subscription: Subscription, takesTasks: Bool) {
        state.withLock { $0.subscribers.append(Subscriber(subscription: subscription, takesTasks: takesTasks)) }
    }

    func join(_ party: any InMemoryParty) { state.withLock { $0.parties.append(party) } }
    func note(_ event: TaskEvent) { state.withLock { $0.events.append(event) } }

    // MARK: Publishing

    /// Whether the broker is there.
    public var takesMessages: Bool { state.withLock { $0.isUp } }

    /// As a broker with publisher confirms: what no queue takes is returned.
    public func publish(_ messages: [OutboundMessage]) async -> [PublishOutcome] {
        messages.map { message in
            state.withLock { state in
                guard state.isUp else { return .notSent(reason: "the broker is away") }
                let queues = state.topology.queues(of: message)
                guard !queues.isEmpty else { return .returned(code: 312, text: "NO_ROUTE") }
                guard state.toLose == 0 else {
                    state.toLose -= 1
                    if let id = Int64(message.messageID) { state.events.append(.lost(id)) }
                    return .confirmed
                }
                for queue in queues {
                    let delivery = Delivery(
                        queue: queue, exchange: message.exchange, routingKey: message.routingKey,
                        messageID: message.messageID, headers: message.headers, body: message.body)
                    for _ in 0..<copies { state.queues[queue, default: []].append(delivery) }
                }
                return .confirmed
            }
        }
    }

    // MARK: Delivering

    /// Delivers, and lets time pass for senders and receivers that wait for something, until nothing is left to do.
    ///
    /// - Throws: the error of a receiver that fails again and again.
    public func run() async throws {
        var failures = 0
        while true {
            while try await deliver() {}
            do {
                guard try await letTimePass() else { return }
                failures = 0
            } catch {
                failures += 1
                guard failures < Self.maxFailures else { throw error }
            }
        }
    }

    /// One batch to each receiver whose queue holds something; whether there was one. With copies, no batch has two of them.
    @discardableResult
    public func deliver() async throws -> Bool {
        var isAnythingDone = false
        for subscriber in state.withLock({ $0.subscribers }) {
            let subscription = subscriber.subscription
            var failures = 0
            while let batch = take(subscription) {
                do {
                    try await subscription.handler(batch)
                    isAnythingDone = true
                    if subscriber.takesTasks { for delivery in batch { note(.acknowledged(delivery.taskID)) } }
                    break
                } catch {
                    giveBack(batch, to: subscription.queue)
                    failures += 1
                    guard failures < Self.maxFailures else { throw error }
                }
            }
        }
        return isAnythingDone
    }

    /// A receiver that fails as often in a row will go on so for ever.
    private static let maxFailures = 20

    private func take(_ subscription: Subscription) -> [Delivery]? {
        state.withLock { state in
            var rest: [Delivery] = []
            var batch: [Delivery] = []
            let waiting = state.queues[subscription.queue] ?? []
            for delivery in reverses ? waiting.reversed() : waiting {
                let isCopy = batch.contains { $0.messageID == delivery.messageID && $0.body == delivery.body }
                if batch.count < Int(subscription.prefetch), !isCopy {
                    batch.append(delivery)
                } else {
                    rest.append(delivery)
                }
            }
            state.queues[subscription.queue] = reverses ? rest.reversed() : rest
            return batch.isEmpty ? nil : batch
        }
    }

    private func giveBack(_ batch: [Delivery], to queue: String) {
        let again = batch.map { delivery in
            var delivery = delivery
            delivery.redelivered = true
            return delivery
        }
        state.withLock { state in
            let rest = state.queues[queue] ?? []
            state.queues[queue] = reverses ? rest + again.reversed() : again + rest
        }
    }

    private func letTimePass() async throws -> Bool {
        var isAnythingDone = false
        for party in state.withLock({ $0.parties }) where try await party.letTimePass() { isAnythingDone = true }
        return isAnythingDone
    }
}

/// Somebody at the broker who does something when time passes.
protocol InMemoryParty: AnyObject, Sendable {
    /// What is due now; whether there was anything.
    func letTimePass() async throws -> Bool
}

extension Delivery {
    /// 0 where nobody can read it.
    var taskID: Int64 { messageID.flatMap { Int64($0) } ?? 0 }
}

extension Topology {
    fileprivate func queues(of message: OutboundMessage) -> [String] {
        if message.exchange.isEmpty { return queues.map(\.name).filter { $0 == message.routingKey } }
        guard let exchange = exchanges.first(where: { $0.name == message.exchange }) else { return [] }
        return bindings.filter {
            $0.exchange == exchange.name && (exchange.kind == .fanout || $0.routingKey == message.routingKey)
        }.map(\.queue)
    }
}
