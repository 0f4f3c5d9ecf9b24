import Foundation

/// Looks at the services again and again while a trial lasts, and tells what it sees.
actor Watch {
    private let shop: Shop
    private let begin: Date
    private let load: Load
    private let report: @Sendable (_ change: @Sendable (inout TrialRecord) -> Void) async -> Void
    private let baseline: Look
    private var observation: Observation
    private var latest: Look
    private var hitAt: ContinuousClock.Instant?
    /// So many looks in a row have found nothing on its way since it broke.
    private var quietLooks = 0

    /// - Throws: ``Unready`` when a service is away from the first.
    init(
        _ shop: Shop, since begin: Date, load: Load,
        report: @escaping @Sendable (_ change: @Sendable (inout TrialRecord) -> Void) async -> Void
    ) async throws {
        self.shop = shop
        self.begin = begin
        self.load = load
        self.report = report
        baseline = await shop.look(since: begin)
        guard baseline.services.allSatisfy({ $0.value.isReady && $0.value.process != nil }) else { throw Unready() }
        observation = Observation(baseline)
        latest = baseline
    }

    /// Until it is cancelled.
    func run() async throws {
        while !Task.isCancelled {
            let underway = await load.underway
            let look = await shop.look(since: begin)
            guard !Task.isCancelled else { return }
            observation.add(look)
            latest = look
            quietLooks = hitAt != nil && underway == 0 && look.isIdle(since: baseline) ? quietLooks + 1 : 0
            await tell()
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    /// A moment at which something may have broken, and what was on its way then, as it was seen last.
    struct Moment: Sendable {
        let instant = ContinuousClock.now
        let date = Date()
        let inFlight: InFlight
    }

    func moment() async -> Moment {
        let requests = await load.underway
        var found = observation.inFlight
        found.requests = requests
        return Moment(inFlight: found)
    }

    /// That was when it broke; now, if nil.
    func hit(_ earlier: Moment? = nil) async {
        let moment = if let earlier { earlier } else { await moment() }
        hitAt = moment.instant
        await report { record in
            record.hitAt = moment.date
            record.inFlight = moment.inFlight
        }
    }

    /// Twice in a row: between two questions a thing may move from one service to another.
    var isSettled: Bool { quietLooks >= 2 }

    private func tell() async {
        let (counts, again) = (await load.counts, await load.askedAgain)
        var lines = observation.mended
        if again > 0 { lines.append(Observation.Line(what: .askedAgain, service: "", count: again)) }
        let settledAfter = quietLooks == 1 ? hitAt.map { ContinuousClock.now - $0 } : nil
        await report { [lines] record in
            record.orders = counts
            record.mended = lines
            if let settledAfter {
                record.settledAfter =
                    Double(settledAfter.components.seconds)
                    + Double(settledAfter.components.attoseconds) / 1e18
            }
        }
    }
}
