import SettleTestSupport

/// The requests of one run, as the bytes that go over the wire.
struct OrderRequests: Sendable {
    /// The users are u1 to u1000, the products p1 to p1000.
    static let users = 1_000
    static let price = 10
    static let spent = 2

    private let scenario: Scenario
    private let run: String
    private var number = 0
    private var random: SeededNumbers

    /// - Parameters:
    ///   - run: what its idempotency keys begin with.
    ///   - seed: the same one gives the same orders.
    init(_ scenario: Scenario, run: String, seed: UInt64 = 1) {
        self.scenario = scenario
        self.run = run
        random = SeededNumbers(seed: seed)
    }

    mutating func next() -> [UInt8] {
        number += 1
        let user = draw(1...Self.users)
        let isFlash = scenario.mode == Scenario.flash
        let product = isFlash ? Scenario.flash : "p\(draw(1...scenario.products))"
        let mode = isFlash ? "at" : scenario.mode
        let spending = scenario.spendsPoints ? #","spendPoints":\#(Self.spent)"# : ""
        let body =
            #"{"userName":"u\#(user)","items":[{"sku":"\#(product)","quantity":1}],"mode":"\#(mode)"\#(spending)}"#
        let key = scenario.hasKey ? "Idempotency-Key: \(run)-\(number)\r\n" : ""
        return Array(
            """
            POST /orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
            Content-Length: \(body.utf8.count)\r\n\(key)\r\n\(body)
            """.utf8)
    }

    private mutating func draw(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + Int(random.next() % UInt64(range.count))
    }
}
