/// The exchanges, queues and bindings that a program needs; all durable, declared anew on every connection.
public struct Topology: Sendable, Equatable {
    /// In the order of declaration.
    public var exchanges: [Exchange]
    /// In the order of declaration.
    public var queues: [Queue]
    /// Declared last.
    public var bindings: [Binding]

    /// A topology of these; empty without arguments.
    public init(exchanges: [Exchange] = [], queues: [Queue] = [], bindings: [Binding] = []) {
        self.exchanges = exchanges
        self.queues = queues
        self.bindings = bindings
    }

    /// This one and what `other` has beyond it.
    public func merging(_ other: Topology) -> Topology {
        Topology(
            exchanges: exchanges + other.exchanges.filter { !exchanges.contains($0) },
            queues: queues + other.queues.filter { !queues.contains($0) },
            bindings: bindings + other.bindings.filter { !bindings.contains($0) })
    }
}

extension Topology {
    /// A durable exchange.
    public struct Exchange: Sendable, Equatable {
        /// How an exchange routes.
        public enum Kind: String, Sendable {
            /// By routing key; by nothing; by pattern; by headers.
            case direct, fanout, topic, headers
        }

        /// At most 255 bytes of UTF-8.
        public var name: String
        /// How it routes.
        public var kind: Kind

        /// An exchange called `name`.
        public init(name: String, kind: Kind = .direct) {
            self.name = name
            self.kind = kind
        }
    }

    /// A durable queue.
    public struct Queue: Sendable, Equatable {
        /// What keeps the messages.
        public enum Kind: String, Sendable {
            /// On one node; or replicated by Raft.
            case classic, quorum
        }

        /// A value of a queue argument.
        public enum Argument: Sendable, Equatable {
            /// A string, a 64-bit integer, a boolean.
            case text(String), int(Int64), bool(Bool)
        }

        /// At most 255 bytes of UTF-8.
        public var name: String
        /// What keeps the messages.
        public var kind: Kind
        /// `x-…` arguments besides the type, such as `x-dead-letter-exchange`.
        public var arguments: [String: Argument]

        /// A queue called `name`.
        public init(name: String, kind: Kind = .classic, arguments: [String: Argument] = [:]) {
            self.name = name
            self.kind = kind
            self.arguments = arguments
        }
    }

    /// What an exchange puts into a queue.
    public struct Binding: Sendable, Equatable {
        /// The queue that receives.
        public var queue: String
        /// The exchange that routes.
        public var exchange: String
        /// The key, read as the exchange's kind says.
        public var routingKey: String

        /// A binding of `queue` to `exchange`.
        public init(queue: String, exchange: String, routingKey: String) {
            self.queue = queue
            self.exchange = exchange
            self.routingKey = routingKey
        }
    }
}

extension Topology.Queue.Argument: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral
{
    /// A text.
    public init(stringLiteral value: String) { self = .text(value) }
    /// An integer.
    public init(integerLiteral value: Int64) { self = .int(value) }
    /// A boolean.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
}
