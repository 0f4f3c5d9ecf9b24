import ArgumentParser
import Foundation
import SettleCore
import SettleTestSupport

/// How long an order takes from its 201 until it is settled, on a suite that has nothing else to do.
struct Settling: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Orders one after the other; half of them are settled within 50 ms.")

    private static let limit = 50.0
    private static let count = 40

    @OptionGroup var ports: ServicePorts

    func run() async throws {
        var report = Report()
        let shop = try Shop(ports)
        let run = "settling-\(UUID().uuidString.lowercased().prefix(8))"
        try await shop.makeProduct(run, price: 1, available: 10_000)
        var medians = (seen: Double.infinity, servers: Double.infinity)
        // Other load on the machine can only make it look slower than it is: the best of at most three rounds counts.
        for round in 1...3 where max(medians.seen, medians.servers) >= Self.limit {
            let user = "\(run)-\(round)"
            try await shop.makeUser(user, points: 0)
            let times = try await Self.round(port: ports.order, OrderDraft(user, [run: 1])).get()
            medians = (Self.median(times.map(\.seen)), Self.median(times.map(\.servers)))
            print(
                "     p50 \(medians.seen) ms as seen here, \(medians.servers) ms by the servers (creation to archive)")
            let statuses = try await shop.statuses(of: user)
            report.expect(statuses == ["settled": Self.count], "every order settled", otherwise: "\(statuses)")
        }
        report.expect(medians.seen < Self.limit, "p50 is under 50 ms", otherwise: "\(medians.seen) ms")
        report.expect(medians.servers < Self.limit, "and by the servers' clocks", otherwise: "\(medians.servers) ms")
        try report.end()
    }

    /// To a tenth.
    private static func median(_ times: [Double]) -> Double { (times.sorted()[times.count / 2] * 10).rounded() / 10 }

    private struct Order: Decodable {
        struct Task: Decodable { let deleteTime: Double? }
        let id: String
        let status: String
        let createdAt: String
        let tasks: [Task]?
    }

    /// The times of one round, in milliseconds: over one connection, on a thread that may block.
    private static func round(
        port: Int, _ draft: OrderDraft
    ) async -> Result<[(seen: Double, servers: Double)], any Error> {
        await withCheckedContinuation { done in
            DedicatedThread.start(name: "settling") {
                done.resume(
                    returning: Result {
                        let connection = HTTPConnection(port: port)
                        return try (0..<count).map { _ in try one(connection, draft) }
                    })
            }
        }
    }

    private static func one(
        _ connection: HTTPConnection, _ draft: OrderDraft
    ) throws -> (seen: Double, servers: Double) {
        let placed = try connection.send(
            "POST", "/orders", headers: ["Content-Type": "application/json"], body: draft.json)
        var order = try placed.decode(Order.self)
        let begin = ContinuousClock.now
        while order.status == "placed" {
            guard .now - begin < .seconds(30) else { throw NotInTime("order \(order.id) is not settled after 30 s") }
            order = try connection.send("GET", "/orders/\(order.id)").decode()
        }
        let created = try Date(order.createdAt, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        let archived = order.tasks?.compactMap(\.deleteTime).max() ?? .infinity
        return ((.now - begin) / .milliseconds(1), archived - created.timeIntervalSince1970 * 1_000)
    }
}
