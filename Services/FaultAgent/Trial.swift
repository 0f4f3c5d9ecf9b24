import Foundation
import Logging
import SettleServiceKit
import ShopContract

/// Places orders, breaks something amid them, waits until all is settled, and compares the books.
struct Trial {
    /// Orders are asked for again for so long.
    private static let patience: Duration = .seconds(60)
    private static let settling: Duration = .seconds(120)
    /// A fault that has not happened by then never will.
    private static let happening = 30

    let fault: Switch
    let orders: Int
    let seconds: Int
    let shop: Shop
    let lines: Lines
    let logger: Logger
    /// Told of each change.
    let report: @Sendable (_ change: @Sendable (inout TrialRecord) -> Void) async -> Void

    /// - Parameter begin: what is older is nobody's business here.
    func run(since begin: Date) async {
        let load = Load(shop)
        do {
            if fault.modes.contains(where: \.isFlash) { try await shop.makeFlashProduct() }
            let watch = try await Watch(shop, since: begin, load: load, report: report)
            try await withThrowingTaskGroup { group in
                group.addTask { try await watch.run() }
                let ordering = Task {
                    await load.run(orders, kinds: fault.modes, pace: pace, patience: Self.patience)
                }
                defer { ordering.cancel() }
                try await happen(load, watch)
                await report { $0.phase = .settling }
                await ordering.value
                try await settle(watch)
                group.cancelAll()
            }
            await report { $0.phase = .comparing }
            let books = try await shop.books(since: begin, placed: await load.placed)
            await report { record in
                record.books = books
                if !books.agree { record.problems.append("the books do not agree") }
            }
        } catch {
            logger.warning("a trial ended early", metadata: ["switch": "\(fault.id)", "error": "\(error)"])
            await report { $0.problems.append("\(error)") }
        }
        await report { $0.phase = .over }
    }

    /// So that orders come all the while.
    private var pace: Duration {
        fault.lasts ? min(.milliseconds(500), .seconds(seconds + 1) / max(1, orders)) : .milliseconds(80)
    }

    private func happen(_ load: Load, _ watch: Watch) async throws {
        // A few orders first, so that something is on its way.
        let soon = ContinuousClock.now + .seconds(2)
        while await load.counts.placed < min(3, orders), ContinuousClock.now < soon {
            try await Task.sleep(for: .milliseconds(20))
        }
        await report { $0.phase = .broken }
        switch fault.deed {
        case .line(let state, let names):
            await watch.hit()
            lines.set(state, names)
            defer { lines.set(.open, names) }
            try await Task.sleep(for: .seconds(seconds))
        case .cut:
            await watch.hit()
            lines.cut()
        case .process(let action):
            guard let service = fault.service, let before = await shop.process(of: service) else { throw Unready() }
            await watch.hit()
            try await shop.tell(service, action, seconds: seconds)
            if action == "pause" {
                try await Task.sleep(for: .seconds(seconds))
            } else {
                _ = try await awaitSuccessor(of: before, service, watch, "was not started again")
            }
        case .crash(let failpoint):
            try await crash(failpoint, watch)
        }
    }

    private func crash(_ failpoint: Failpoint, _ watch: Watch) async throws {
        guard let service = fault.service, let before = await shop.process(of: service) else { throw Unready() }
        let order = ShopServices.order.name
        if let helper = failpoint.helper { try await shop.plan(helper, at: order, seconds: Self.happening) }
        let visit = failpoint.helper == nil ? 2 : 1
        try await shop.plan("\(failpoint.point)=kill@\(visit)", at: service, seconds: Self.happening)
        await watch.hit(try await awaitSuccessor(of: before, service, watch, "the point was not reached"))
        if failpoint.helper != nil { try await shop.plan("", at: order, seconds: 1) }
    }

    /// Waits until another process is there in its place.
    ///
    /// - Returns: when the first one was gone, as nearly as it was seen.
    private func awaitSuccessor(
        of process: UUID, _ service: String, _ watch: Watch, _ problem: String
    ) async throws -> Watch.Moment {
        let end = ContinuousClock.now + .seconds(2 * Self.happening)
        var gone: Watch.Moment?
        while ContinuousClock.now < end {
            let now = await shop.process(of: service)
            if now == process {
                gone = nil
            } else {
                let moment = if let gone { gone } else { await watch.moment() }
                if now != nil { return moment }
                gone = moment
            }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw NotHappened(description: "\(service): \(problem)")
    }

    private func settle(_ watch: Watch) async throws {
        let end = ContinuousClock.now + Self.settling
        while !(await watch.isSettled) {
            guard ContinuousClock.now < end else {
                throw NotHappened(description: "not settled after \(Self.settling.components.seconds) s")
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}

/// A service that is to be broken does not answer, or its switches are not on.
struct Unready: Error, CustomStringConvertible {
    var description: String { "a service does not answer, or runs without FAULT_SWITCHES" }
}

/// What a trial waited for in vain.
struct NotHappened: Error, CustomStringConvertible {
    let description: String
}
