import SettleRabbitMQ
import Testing

@testable import Settle

@Suite("Keys of messages")
struct MessageKeysTests {
    private static let routes = ["add", "take"].map { TaskRoute(taskType: $0, exchange: "ex", queuePrefix: "cg_") }
    private static let (old, new) = ("old-key-0123456789", "new-key-0123456789")

    private func keys(_ text: String) throws -> MessageKeys { try MessageKeys(text, for: Self.routes) }

    private func message(_ keys: MessageKeys, _ kind: SignedKind = .task, of type: String = "add") -> OutboundMessage {
        var message = OutboundMessage(
            exchange: "ex", routingKey: type, messageID: "7", body: Array("body".utf8), headers: ["traceparent": "t"])
        keys.sign(&message, as: kind, of: type)
        return message
    }

    private func delivery(_ message: OutboundMessage) -> Delivery {
        Delivery(
            queue: "cg_add", exchange: message.exchange, routingKey: message.routingKey, messageID: message.messageID,
            headers: message.headers, body: message.body)
    }

    private func refusal(
        _ keys: MessageKeys, _ delivery: Delivery, as kind: SignedKind = .task, of type: String = "add"
    ) -> BadSignature? {
        do {
            try keys.check(delivery, as: kind, of: type)
            return nil
        } catch {
            return error
        }
    }

    @Test("without keys nothing is signed, and nothing asked for")
    func off() throws {
        for none in [MessageKeys.none, try keys(""), try keys("take=\(Self.old)")] {
            let message = message(none)
            #expect(message.headers == ["traceparent": "t"])
            #expect(refusal(none, delivery(message)) == nil)
        }
        #expect(MessageKeys.none.taskTypes.isEmpty)
    }

    @Test("the signature is HMAC-SHA-256 over kind, type, id and body, each after its length")
    func signature() throws {
        let signed = message(try keys("add=\(Self.old)"))
        // From another implementation.
        #expect(
            signed.headers["x-settle-signature"]
                == "v1=67d88b9604d54b629e970b1c271a112fd0c61dddec779c47c4f01db04655f953")
        #expect(signed.headers["traceparent"] == "t")
    }

    @Test("what was signed is taken as just that: with another body, id, kind, type or key it is refused")
    func refused() throws {
        let both = try keys("add=\(Self.old),take=\(Self.new)")
        let signed = delivery(message(both))
        #expect(refusal(both, signed) == nil)
        #expect(refusal(both, signed, as: .answer) == .wrong, "an echo is no answer")
        #expect(refusal(both, signed, of: "take") == .wrong)
        #expect(refusal(try keys("add=\(Self.new)"), signed) == .wrong)
        var other = signed
        other.body[0] ^= 1
        #expect(refusal(both, other) == .wrong)
        other = signed
        other.body.append(0)
        #expect(refusal(both, other) == .wrong)
        other = signed
        other.messageID = nil
        #expect(refusal(both, other) == .wrong)
        other.messageID = "77"
        #expect(refusal(both, other) == .wrong)
        // What ends one part and begins the next is part of it, too.
        (other.messageID, other.body) = ("7b", Array("ody".utf8))
        #expect(refusal(both, other) == .wrong)
        // Where it was published does not count, so that a person may move it.
        other = signed
        (other.exchange, other.routingKey, other.redelivered) = ("", "cg_add", true)
        #expect(refusal(both, other) == nil)
    }

    @Test(
        "a header that is no signature is refused",
        arguments: [nil, "", "v1=", "v1", "v2=00", "v1=" + String(repeating: "0", count: 64), "é"])
    func header(text: String?) throws {
        let keys = try keys("add=\(Self.old)")
        var delivery = delivery(message(keys))
        delivery.headers["x-settle-signature"] = text
        #expect(refusal(keys, delivery) == (text == nil ? .missing : .wrong))
    }

    @Test("a key is changed in three steps; a message without a signature is refused in all of them")
    func rotation() throws {
        let steps = try [
            "add=\(Self.old)", "add=\(Self.old),add=\(Self.new)", "add=\(Self.new),add=\(Self.old)", "add=\(Self.new)",
        ]
        .map(keys)
        for (step, next) in zip(steps, steps.dropFirst()) {
            #expect(refusal(next, delivery(message(step))) == nil)
            #expect(refusal(step, delivery(message(next))) == nil)
        }
        #expect(refusal(try #require(steps.last), delivery(message(steps[0]))) == .wrong)
        #expect(refusal(steps[0], delivery(message(try #require(steps.last)))) == .wrong)
        for step in steps { #expect(refusal(step, delivery(message(.none))) == .missing) }
    }

    @Test("signing begins without a stop: what is not signed is taken for a while, what is signed wrongly never")
    func beginning() throws {
        let first = try keys("add=\(Self.old),add=unsigned")
        #expect(first.taskTypes == ["add"] && first.taskTypesTakenUnsigned == ["add"])
        #expect(refusal(first, delivery(message(.none))) == nil)
        #expect(refusal(first, delivery(message(first))) == nil)
        #expect(refusal(try keys("add=\(Self.old)"), delivery(message(first))) == nil)
        #expect(refusal(first, delivery(message(try keys("add=\(Self.new)")))) == .wrong)
    }

    @Test("a key may have anything printable in it but a comma")
    func characters() throws {
        let keys = try keys("add=a=b==/+~!:\"'{}0123456789")
        #expect(refusal(keys, delivery(message(keys))) == nil)
    }

    @Test(
        "keys that cannot be used are refused, and never repeated",
        arguments: [
            "s3cret-0123456789", "add", "add=", "add=s3cret-0123", "add=s3cret-01 23456789", "add=s3cret-é0123456789",
            "s3cret-0123456789==", "other=s3cret-0123456789", "add=s3cret-0123456789,", ",add=s3cret-0123456789",
            "add=unsigned", "ADD=s3cret-0123456789", "add=" + String(repeating: "s3cret", count: 100),
            Array(repeating: "add=s3cret-0123456789", count: 5).joined(separator: ","),
        ])
    func unusable(text: String) {
        let error = #expect(throws: MessageKeysError.self) { try keys(text) }
        #expect(error?.description.contains("s3cret") == false)
    }
}
