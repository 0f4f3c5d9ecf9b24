import Foundation
import Logging
import ServiceLifecycle
import SettleServiceKit

/// One trial after the other, and what became of the latest.
actor Trials: Service {
    static let isRunning = Problem.conflict("trial-running", "one thing is broken at a time")
    private static let kept = 20

    let switches: [Switch]
    private let shop: Shop
    private let lines: Lines
    private let logger: Logger
    private var records: [TrialRecord] = []
    private let (begun, beginning) = AsyncStream<Trial>.makeStream(bufferingPolicy: .bufferingNewest(1))

    init(shop: Shop, lines: Lines, logger: Logger) {
        self.shop = shop
        self.lines = lines
        self.logger = logger
        switches = Switch.all(lines: lines.names)
    }

    /// The latest first.
    var latest: [TrialRecord] { records.reversed() }

    func record(_ id: UUID) -> TrialRecord? { records.first { $0.id == id } }

    /// - Throws: the problem 409 while another one lasts.
    func begin(_ fault: Switch, orders: Int, seconds: Int) throws(Problem) -> TrialRecord {
        guard records.last.map({ $0.phase == .over }) ?? true else { throw Self.isRunning }
        let record = TrialRecord(fault)
        records = records.suffix(Self.kept - 1) + [record]
        logger.warning("a trial begins", metadata: ["switch": "\(fault.id)", "seconds": "\(seconds)"])
        beginning.yield(
            Trial(
                fault: fault, orders: orders, seconds: seconds, shop: shop, lines: lines, logger: logger,
                report: { [weak self] change in await self?.change(record.id, change) }))
        return record
    }

    /// Until graceful shutdown.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await trial in self.begun { await trial.run(since: Self.now) }
        }
    }

    /// Without the fraction of the millisecond, which orders do not have either.
    private static var now: Date {
        Date(timeIntervalSince1970: (Date().timeIntervalSince1970 * 1000).rounded(.down) / 1000)
    }

    private func change(_ id: UUID, _ change: @Sendable (inout TrialRecord) -> Void) {
        guard let index = records.firstIndex(where: { $0.id == id }) else { return }
        change(&records[index])
        if records[index].phase == .over {
            let record = records[index]
            logger.notice(
                "a trial is over",
                metadata: [
                    "switch": "\(record.switch)", "isWell": "\(record.problems.isEmpty)",
                    "problems": "\(record.problems.joined(separator: "; "))",
                ])
        }
    }
}
