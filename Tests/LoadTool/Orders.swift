import ArgumentParser
import Foundation
import SettleTestSupport

/// Orders in every mode at once, each with an idempotency key and asked for again until it is accepted: whatever fails
/// on the way, it is known what must be there in the end.
struct Orders: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Orders in every mode at once; afterwards all are settled, once, and stock and points are exact.")

    @OptionGroup var ports: ServicePorts
    @Option(help: "What the run is called in its lines.") var name = "load"
    @Option(help: "How many clients place orders at once.") var clients = 6
    @Option(help: "How many orders; with a command, how many are accepted before it and again after it.") var orders =
        60
    @Argument(
        parsing: .postTerminator,
        help: "A command that is run under load, to break something; load goes on until it is over.")
    var command: [String] = []

    func run() async throws {
        var report = Report()
        let shop = try Shop(ports)
        let callers = Caller.all("load-\(UUID().uuidString.lowercased().prefix(8))")
        for caller in callers { try await caller.prepare(shop) }
        let load = Load(
            ports: [ports.order], clients: clients, limit: command.isEmpty ? orders : .max, patience: .seconds(180)
        ) { callers[$0 % callers.count].draft($0 / callers.count) }
        if !command.isEmpty { await disturb(load, &report) }
        let attempts = await (command.isEmpty ? load.finished() : load.stop())
        await check(load, attempts, callers, shop, &report)
        try report.end()
    }

    private func disturb(_ load: Load, _ report: inout Report) async {
        await report.expect("\(name): orders are accepted") { try await more(load) }
        await report.expect("\(name): \(command.joined(separator: " ").prefix(80))") {
            try await Command.run("/usr/bin/env", command, within: .seconds(300))
        }
        await report.expect("\(name): orders are accepted again") { try await more(load) }
    }

    /// Until so many more have been accepted.
    private func more(_ load: Load) async throws {
        let goal = load.accepted + orders
        try await eventually("\(orders) more", within: .seconds(60)) { load.accepted >= goal }
    }

    private func check(
        _ load: Load, _ attempts: [Attempt], _ callers: [Caller], _ shop: Shop, _ report: inout Report
    ) async {
        let ended = ContinuousClock.now
        let accepted = Set(attempts.filter(\.isAccepted).map(\.key)).count
        report.expect(
            accepted == load.asked, "\(name): all \(load.asked) orders are accepted", otherwise: attempts.summary)
        await report.expect("\(name): all settle once, stock, points and the point log are exact", within: .seconds(60))
        {
            for (index, caller) in callers.enumerated() {
                let count = (load.asked + callers.count - 1 - index) / callers.count
                if let wrong = try await caller.disagreement(shop, after: count) { return wrong }
            }
            return nil
        }
        print(
            "     \((ContinuousClock.now - ended).formatted(.units(width: .narrow))) after the last; \(attempts.summary)"
        )
        await report.expect("\(name): no branch is left undecided", within: .seconds(30)) {
            let count = try await shop.undecided()
            return count == 0 ? nil : "\(count) are"
        }
        await report.expect("\(name): no task is left unanswered or parked", within: .seconds(30)) {
            let backlog = try await shop.backlog()
            return backlog == Shop.Backlog(pending: 0, parked: 0) ? nil : "\(backlog)"
        }
    }
}
