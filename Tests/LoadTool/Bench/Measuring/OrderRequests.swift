/// The requests of one run, as the bytes that go over the wire.
struct OrderRequests: Sendable {
    /// The users are u1 to u1000, the products p1 to p1000.
    static let users = 1_000
    static let price = 10
    static let spent = 2

    private let scenario: Scenario
    private let run: String
    private var number = 0
    private var random: UInt64

    /// - Parameters:
    ///   - run: what its idempotency keys begin with.
    ///   - seed: the same one gives the same orders.
    init(_ scenario: Scenario, run: String, seed: UInt64 = 1) {
        self.scenario = scenario
        self.run = run
        random = seed
    }

    mutating func next() -> [UInt8] {
        number += 1
        let user = draw(1...Self.users)
        let product = draw(1...scenario.products)
        let spending = scenario.spendsPoints ? #","spendPoints":\#(Self.spent)"# : ""
        let body =
            #"{"userName":"u\#(user)","items":[{"sku":"p\#(product)","quantity":1}],"mode":"\#(scenario.mode)"\#(spending)}"#
        let key = scenario.hasKey ? "Idempotency-Key: \(run)-\(number)\r\n" : ""
        return Array(
            """
            POST /orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
            Content-Length: \(body.utf8.count)\r\n\(key)\r\n\(body)
            """.utf8)
    }

    /// SplitMix64 (Steele, Lea, Flood 2014): small, and the same on every machine.
    private mutating func draw(_ range: ClosedRange<Int>) -> Int {
        random &+= 0x9e37_79b9_7f4a_7c15
        var bits = random
        bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
        return range.lowerBound + Int((bits ^ (bits >> 31)) % UInt64(range.count))
    }
}
