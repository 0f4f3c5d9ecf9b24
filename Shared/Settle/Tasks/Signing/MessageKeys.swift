import SettleRabbitMQ

/// The keys that messages are signed with, for each type of task; they sign the tasks and the answers to them.
///
/// By default there are none: nothing is signed then, and nothing asked for. With a key for a type, a message that is not
/// signed, or not with that key, is a dead letter and changes nothing. Of several keys for one type the first signs and
/// all verify, so that a key can be changed without a stop: docs/security.md has the steps.
public struct MessageKeys: Sendable {
    /// Nothing is signed.
    public static let none = MessageKeys()

    /// What stands in a key's place where messages without any signature are taken, too.
    static let unsigned = "unsigned"
    static let keyLength = 16...512
    static let maxKeys = 4

    private var types: [String: TypeKeys] = [:]  // ours

    private init() {}

    /// - Parameters:
    ///   - text: `type=key`, with commas between several; empty for none. A type may come more than once.
    ///   - routes: what the service sends or receives.
    /// - Throws: ``MessageKeysError``, which never holds a key.
    public init(_ text: String, for routes: [TaskRoute]) throws(MessageKeysError) {
        guard !text.isEmpty else { return }
        var keys: [String: [[UInt8]]] = [:]  // ours
        for (number, entry) in text.split(separator: ",", omittingEmptySubsequences: false).enumerated() {
            guard let separator = entry.firstIndex(of: "=") else {
                throw MessageKeysError("entry \(number + 1): type=key is expected")
            }
            // Named by its number alone: what stands there may be the half of a key.
            guard let type = routes.map(\.taskType).first(where: { $0 == entry[..<separator] }) else {
                let types = routes.map(\.taskType).joined(separator: ", ")
                throw MessageKeysError("entry \(number + 1): a type of task is expected that is used here: \(types)")
            }
            keys[type, default: []].append(Array(entry[separator...].dropFirst().utf8))
        }
        for (type, keys) in keys { types[type] = try TypeKeys(type, keys) }
    }

    /// What is signed.
    public var taskTypes: [String] { types.keys.sorted() }
    /// Of these, what is taken unsigned, too.
    public var taskTypesTakenUnsigned: [String] { types.filter(\.value.takesUnsigned).keys.sorted() }

    /// Signs `message`, if there is a key for its type.
    func sign(_ message: inout OutboundMessage, as kind: SignedKind, of taskType: String) {
        guard let keys = types[taskType] else { return }
        message.headers[TypeKeys.header] = keys.signature(
            of: SignedContent(kind: kind, taskType: taskType, messageID: message.messageID, body: message.body))
    }

    /// The headers of a message that a centre will publish: its trace, and its signature if there is a key for its type.
    func headers(id: String, type: String, body: String, traceParent: String?) -> [String: String] {  // ours
        var message = OutboundMessage(
            exchange: "", routingKey: "", messageID: id, body: Array(body.utf8),
            headers: TraceHeader.headers(traceParent))
        sign(&message, as: .task, of: type)
        return message.headers
    }

    /// Throws ``BadSignature`` unless `delivery` was signed as such by somebody who has a key, or needs not be.
    func check(_ delivery: Delivery, as kind: SignedKind, of taskType: String) throws(BadSignature) {
        guard let keys = types[taskType] else { return }
        try keys.check(
            delivery.headers[TypeKeys.header],
            of: SignedContent(
                kind: kind, taskType: taskType, messageID: delivery.messageID ?? "", body: delivery.body))
    }
}

/// Keys that cannot be used; the text never holds one.
public struct MessageKeysError: Error, Sendable, Equatable, CustomStringConvertible {
    /// For the operator.
    public let description: String

    init(_ description: String) { self.description = description }
}
