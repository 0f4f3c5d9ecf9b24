import Testing

@testable import RabbitMQ

@Suite struct DeliveryAssemblerTests {
    private func assembler(maxMessage: Int = 100) throws -> DeliveryAssembler {
        var assembler = DeliveryAssembler(queue: "q", maxMessage: maxMessage)
        try assembler.deliver(tag: 7, redelivered: true, exchange: "e", routingKey: "k")
        return assembler
    }

    private func delivery(_ body: [UInt8]) -> DeliveryAssembler.Message {
        .delivery(
            Delivery(
                queue: "q", exchange: "e", routingKey: "k", messageID: "id", headers: ["h": "v"], redelivered: true,
                body: body), tag: 7)
    }

    @Test func anEmptyMessageIsCompleteWithItsHeader() throws {
        var assembler = try assembler()
        #expect(try assembler.header(size: 0, messageID: "id", headers: ["h": "v"]) == delivery([]))
    }

    @Test func bodiesAreJoined() throws {
        var assembler = try assembler()
        #expect(try assembler.header(size: 5, messageID: "id", headers: ["h": "v"]) == nil)
        #expect(try assembler.body([1, 2]) == nil)
        #expect(try assembler.body([3, 4]) == nil)
        #expect(try assembler.body([5]) == delivery([1, 2, 3, 4, 5]))
    }

    @Test func aMessageThatIsTooLargeIsReadAndNotKept() throws {
        var assembler = try assembler(maxMessage: 3)
        #expect(try assembler.header(size: 4, messageID: "id", headers: [:]) == nil)
        #expect(try assembler.body([1, 2]) == nil)
        #expect(try assembler.body([3, 4]) == .tooLarge(messageID: "id", size: 4, tag: 7))
        try assembler.deliver(tag: 8, redelivered: false, exchange: "e", routingKey: "k")
        #expect(try assembler.header(size: 1 << 62, messageID: nil, headers: [:]) == nil)
        #expect(try assembler.body([1, 2, 3]) == nil)
    }

    @Test func framesOutOfPlaceAreErrors() throws {
        var fresh = DeliveryAssembler(queue: "q", maxMessage: 10)
        #expect(throws: AMQPError.self) { try fresh.header(size: 1, messageID: nil, headers: [:]) }
        #expect(throws: AMQPError.self) { try fresh.body([1]) }
        var begun = try assembler()
        #expect(throws: AMQPError.self) { try begun.body([1]) }
        var twice = try assembler()
        #expect(throws: AMQPError.self) {
            try twice.deliver(tag: 8, redelivered: false, exchange: "e", routingKey: "k")
        }
        var long = try assembler()
        _ = try long.header(size: 1, messageID: nil, headers: [:])
        #expect(throws: AMQPError.self) { try long.body([1, 2]) }
    }
}
