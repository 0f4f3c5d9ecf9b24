import Testing

@testable import SettleRabbitMQ

@Suite struct DeliveryAssemblerTests {
    private func assembler(maxBody: Int = 100) throws -> DeliveryAssembler {
        var assembler = DeliveryAssembler(queue: "q", maxBody: maxBody)
        try assembler.deliver(tag: 7, redelivered: true, exchange: "e", routingKey: "k")
        return assembler
    }

    private func delivery(_ body: [UInt8], discarded: UInt64 = 0) -> DeliveryAssembler.Message {
        .delivery(
            Delivery(
                queue: "q", exchange: "e", routingKey: "k", messageID: "id", headers: ["h": "v"], redelivered: true,
                body: body, discardedBytes: discarded), tag: 7)
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

    @Test func ofAMessageThatIsTooLargeAllIsHandedOverButTheBody() throws {
        var assembler = try assembler(maxBody: 3)
        #expect(try assembler.header(size: 4, messageID: "id", headers: ["h": "v"], room: 1000) == nil)
        #expect(try assembler.body([1, 2]) == nil)
        #expect(try assembler.body([3, 4]) == delivery([], discarded: 4))
        try assembler.deliver(tag: 8, redelivered: false, exchange: "e", routingKey: "k")
        #expect(try assembler.header(size: 1 << 62, messageID: nil, headers: [:]) == nil)
        #expect(try assembler.body([1, 2, 3]) == nil)
    }

    @Test func aMessageThatThereIsNoRoomForIsReadAndTurnedAway() throws {
        for size: UInt64 in [5000, 6000] {
            var assembler = try assembler(maxBody: 5500)
            let room = size == 5000 ? 5000 : 100
            #expect(try assembler.header(size: size, messageID: "id", headers: [:], room: room) == nil)
            #expect(try assembler.body(Array(repeating: 0, count: 4000)) == nil)
            let rest = Array(repeating: 0 as UInt8, count: Int(size) - 4000)
            #expect(try assembler.body(rest) == .turnedAway(tag: 7))
            try assembler.deliver(tag: 8, redelivered: false, exchange: "e", routingKey: "k")
            #expect(try assembler.header(size: 0, messageID: nil, headers: [:], room: 0) == .turnedAway(tag: 8))
        }
    }

    @Test func framesOutOfPlaceAreErrors() throws {
        var fresh = DeliveryAssembler(queue: "q", maxBody: 10)
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
