import Foundation
import Logging
import SettleCore
import SettlePostgres
import Synchronization

/// One comparison of all books.
struct ReconciliationRun: Sendable {
    let id: UUID
    let repairs: Bool
    let reconciler: Reconciler
    let tally = Tally()

    var settings: ReconciliationSettings { reconciler.settings }
    var store: ReconciliationStore { reconciler.store }
    private var logger: Logger { reconciler.logger }

    /// What was counted so far.
    final class Tally: Sendable {
        struct Content {
            var keys = 0
            var found = 0
            var repaired = 0
            /// What could not be compared.
            var failed: [String] = []
        }

        let content = Mutex(Content())
    }

    /// Goes through everything. What is away is left out, and said.
    func carryOut() async {
        let begun = ContinuousClock.now
        // All is compared up to here; what is younger may be on its way.
        let settled = Date().addingTimeInterval(-(settings.settling / .seconds(1)))
        let before = LedgerRange.key(at: settled)
        if let branches = reconciler.branches {
            // First: what they end, books count below.
            await trying("branches") {
                try await BranchComparison(run: self, branches: branches, before: settled).compare()
            }
        }
        await trying("strays") { try await compareStrays(before: before) }
        await compareBooks(before: before)
        for book in reconciler.books {
            await trying("the balances of \(book.name)") { try await compareBalances(book) }
        }
        await end(after: .now - begun)
    }

    // MARK: Books

    private func compareBooks(before: String) async {
        var (books, after) = await whatCanBeCompared()
        let first = after
        while !Task.isCancelled, !books.isEmpty {
            guard
                let cut = await trying("orders", { try await reconciler.business.bounds(after: after, before: before) })
            else { return }
            let isLast = cut.bounds.count < ReconciliationSettings.maxRanges
            let bounds = [after] + cut.bounds + (isLast ? [before] : [])
            let isFirst = ByteKey(after) == ByteKey(first)
            let well = await withTaskGroup(of: String?.self) { group in
                for book in books {
                    group.addTask {
                        let isWell: Void? = await trying(book.name) {
                            try await compare(book, bounds, isFirst: isFirst, isLast: isLast)
                        }
                        return isWell.map { _ in book.name }
                    }
                }
                return await group.reduce(into: [String]()) { well, name in
                    if let name { well.append(name) }
                }
            }
            // What is away stays away for this run.
            books.removeAll { !well.contains($0.name) }
            let keys = tally.content.withLock { tally in
                tally.keys += cut.keys
                return tally.keys
            }
            if await trying("the run itself", { try await store.renew(id, keys: keys) }) == false { return }
            guard !isLast, let last = cut.bounds.last else { return }
            after = last
        }
    }

    /// The books that answer, and the key from which on all of them hold everything.
    private func whatCanBeCompared() async -> (books: [ReconciledBook], from: String) {
        var books: [ReconciledBook] = []
        var from = Self.noTime
        for book in reconciler.books {
            guard let since = await trying(book.name, { try await book.book.since() }) else { continue }
            books.append(book)
            if let since { from = max(from, LedgerRange.key(at: since)) }
        }
        return (books, from)
    }

    /// Before all keys that say when they were made.
    private static let noTime = LedgerRange.key(at: Date(timeIntervalSince1970: 0))

    private func compare(_ book: ReconciledBook, _ bounds: [String], isFirst: Bool, isLast: Bool) async throws {
        let comparison = BookComparison(book: book, settings: settings)
        var suspects = try await comparison.suspects(between: bounds)
        // What is no key of ours comes before all of them, or after: nobody can say how old it is.
        if isFirst { suspects += try await comparison.suspects(between: ["", Self.noTime]) }
        if isLast {
            let tomorrow = LedgerRange.key(at: Date().addingTimeInterval(24 * 3600))
            suspects += try await comparison.suspects(in: LedgerRange(from: tomorrow, to: nil))
        }
        guard !suspects.isEmpty else { return }
        try await Task.sleep(for: settings.secondLook)
        for start in stride(from: 0, to: suspects.count, by: settings.batchSize) {
            try await lookAgain(
                Array(suspects[start..<min(start + settings.batchSize, suspects.count)]), comparison)
        }
    }

    /// The state before the entries: what is final then has its lines by the time these are read.
    private func lookAgain(_ keys: [String], _ comparison: BookComparison) async throws {
        let business = reconciler.business
        let states = try await business.states(of: keys)
        let described = try await comparison.differences(of: keys).compactMap { difference -> Described? in
            let state = states[ByteKey(difference.key)]
            guard state?.isFinal ?? true else { return nil }
            let differs = BookDifference(book: comparison.book.name, difference: difference, state: state)
            guard let (kind, detail, isMendable) = business.describe(differs) else { return nil }
            return Described(difference: differs, kind: kind, detail: detail, isMendable: isMendable)
        }
        let mended = try await store.mended(described.map { ($0.kind, $0.difference.difference.key) })
        let mendable = described.indices.filter { described[$0].isMendable && !mended.contains($0) }
        let done = await mend(mendable.map { described[$0].repair }) { transaction in
            try business.mend(mendable.map { described[$0].difference }, in: transaction)
        }
        let repaired = Set(done.map { mendable[$0] })
        await report(
            described.indices.map { index in
                // What the protocol has a way for is not put right by hand.
                let isLeft = !described[index].isMendable || mended.contains(index)
                return described[index].finding(isRepaired: repaired.contains(index), hasProposal: isLeft)
            })
    }

    // MARK: Beside the books

    private func compareStrays(before: String) async throws {
        let business = reconciler.business
        let first = Set(try await business.strays(before: before))
        guard !first.isEmpty else { return }
        try await Task.sleep(for: settings.secondLook)
        let strays = try await business.strays(before: before).filter(first.contains)
        let mended = try await store.mended(strays.map { ($0.kind, $0.key) })
        let mendable = strays.indices.filter { strays[$0].action == nil && !mended.contains($0) }
        let done = await mend(mendable.map { strays[$0].repair }) { transaction in
            try business.mend(mendable.map { strays[$0] }, in: transaction)
        }
        let repaired = Set(done.map { mendable[$0] })
        await report(
            strays.indices.map { index in
                let stray = strays[index]
                var finding = ReconciliationFinding(
                    kind: stray.kind, orderId: stray.isBusinessKey ? stray.key : nil,
                    key: stray.isBusinessKey ? nil : stray.key, detail: stray.detail,
                    proposal: stray.action.map { .own(action: $0, key: stray.key) })
                finding.repaired = repaired.contains(index)
                return finding
            })
    }

    private func compareBalances(_ book: ReconciledBook) async throws {
        let first = try await book.book.balances()
        guard !first.differences.isEmpty else { return }
        try await Task.sleep(for: settings.secondLook)
        let seen = Set(first.differences.map(BalanceGap.init))
        let second = try await book.book.balances()
        await report(
            second.differences.filter { seen.contains(BalanceGap($0)) }.map { difference in
                ReconciliationFinding(
                    kind: "balance", key: difference.account, book: book.name,
                    detail: "\(difference.column) is \(difference.balance), and its ledger says \(difference.ledger)",
                    proposal: .correct(book: book.name, difference))
            })
        if second.more { throw TooManyDifferences() }
    }

    // MARK: What comes of it

    /// Runs `action` in a transaction, with a line in the record for each that it mended; returns the indices of these.
    private func mend(
        _ repairs: [@Sendable (_ after: String) -> ReconciliationStore.Repair],
        _ action: @escaping @Sendable (borrowing PostgresTransaction) throws -> [Int: String]
    ) async -> [Int] {
        guard self.repairs, !repairs.isEmpty else { return [] }
        return await trying("repairs") {
            try await store.database.transaction { [store] transaction in
                let done = try action(transaction).sorted { $0.key < $1.key }
                store.add(done.map { repairs[$0.key]($0.value) }, in: transaction)
                return done.map(\.key)
            }
        } ?? []
    }

    /// Keeps the first of all findings, and counts the others.
    func report(_ findings: [ReconciliationFinding]) async {
        guard !findings.isEmpty else { return }
        let kept = tally.content.withLock { tally in
            let room = max(0, settings.maxFindings - tally.found)
            tally.found += findings.count
            tally.repaired += findings.count { $0.repaired }
            return findings.prefix(room)
        }
        for finding in findings {
            reconciler.metrics.found(finding.kind, repaired: finding.repaired)
            logger.warning(
                "the books differ",
                metadata: [
                    "kind": "\(finding.kind)", "orderId": "\(finding.subject)", "book": "\(finding.book ?? "none")",
                    "detail": "\(finding.detail)", "repaired": "\(finding.repaired)",
                ])
        }
        if !kept.isEmpty { await trying("findings") { try await store.add(Array(kept), to: id) } }
    }

    /// What `body` returns; nil if it failed, which makes the run incomplete and stops nothing else.
    @discardableResult
    func trying<Value>(_ what: String, _ body: () async throws -> Value) async -> Value? {
        do {
            return try await body()
        } catch {
            tally.content.withLock { tally in
                if !tally.failed.contains(where: { ByteKey($0) == ByteKey(what) }) { tally.failed.append(what) }
            }
            logger.warning("could not be compared", metadata: ["what": "\(what)", "error": "\(error)"])
            return nil
        }
    }

    private func end(after duration: Duration) async {
        let all = tally.content.withLock { $0 }
        let error = all.failed.isEmpty ? nil : "could not be compared: \(all.failed.joined(separator: ", "))"
        logger.info(
            "reconciliation is over",
            metadata: [
                "orders": "\(all.keys)", "found": "\(all.found)", "repaired": "\(all.repaired)",
                "milliseconds": "\(duration.milliseconds)", "error": "\(error ?? "none")",
            ])
        reconciler.metrics.ended(
            after: duration, isClean: all.found == 0 && error == nil, isComplete: error == nil)
        // A task of its own is not cancelled: a process that is being stopped says so, and nobody waits for its lease.
        await Task {
            await trying("the run itself") {
                try await store.end(id, keys: all.keys, found: all.found, repaired: all.repaired, error: error)
            }
        }.value
    }
}
