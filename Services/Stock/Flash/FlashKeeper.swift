import Foundation
import Logging
import Metrics
import ServiceLifecycle
import Settle
import SettleCore
import SettlePostgres
import SettleRedis
import SettleServiceKit
import ShopContract
import Synchronization

/// Keeps the count of flash products in Redis usable: as long as it is what the book means they are sold, and no longer.
///
/// The count is made anew from the book and the undecided branches whenever Redis has lost it, was started anew, or has gone
/// back in time: its epoch, the server process or the number of scripts that have run say so. Nothing is looked at while
/// nobody sells: the first one who finds it unusable has it made anew.
final class FlashKeeper: Service, Sendable {
    /// What it may be counted by.
    struct Open: Sendable {
        let epoch: FlashBook.Epoch
        let prices: [ByteKey: Int64]
        /// Of scripts that have run: whatever answers later says more.
        var sequence: Int64
    }

    let stock: FlashStock
    let book: FlashBook
    private let logger: Logger
    private let state = Mutex<Open?>(nil)
    /// The epoch that Redis was last found to have lost, or to count wrong.
    private let lost = Mutex<Int64?>(nil)
    private let waiting = Mutex<[Wakeup]>([])
    private let demand = Mailbox<Void>(capacity: 1)
    private let metrics = FlashMetrics()
    private static let backoff = Backoff(initial: .milliseconds(50), cap: .seconds(2))

    private let ready: @Sendable () async throws -> Void

    /// - Parameter ready: returns when the tables are there.
    init(stock: FlashStock, book: FlashBook, logger: Logger, ready: @escaping @Sendable () async throws -> Void) {
        self.stock = stock
        self.book = book
        self.logger = logger
        self.ready = ready
    }

    /// As the service is set.
    convenience init(_ boot: Bootstrap, _ settle: Settle) throws {
        var configuration = try boot.setting("REDIS_URL") { try RedisConfiguration(url: boot.settings.redisURL) }
        configuration.name = "flash"
        // One that is idle need not know; the first one who uses it finds out.
        configuration.idleCheck = .seconds(10)
        self.init(
            stock: FlashStock(redis: RedisClient(configuration, logger: boot.logger)),
            book: FlashBook(database: settle.database), logger: boot.logger, ready: settle.waitUntilMigrated)
    }

    /// What may be counted by now; waits a little while it is made anew.
    ///
    /// - Throws: `BranchRefusal`: nothing was done, and it may be tried again later.
    func open(within limit: Duration = .milliseconds(500)) async throws -> Open {
        if let open = state.withLock({ $0 }), stock.redis.isUp { return open }
        let wakeup = Wakeup()
        waiting.withLock { $0.append(wakeup) }
        demand.offer(())
        if state.withLock({ $0 }) == nil || !stock.redis.isUp { await wakeup.wait(atMost: limit) }
        waiting.withLock { $0.removeAll { $0 === wakeup } }
        guard let open = state.withLock({ $0 }), stock.redis.isUp else {
            throw BranchRefusal(code: FlashProblem.unavailable, detail: "the stock of flash products is being counted")
        }
        return open
    }

    /// Runs scripts at Redis, and believes what they say only if they have counted by `open`.
    func run(_ calls: [RedisScript.Call], by open: Open) async throws -> [FlashStock.Word] {
        guard !calls.isEmpty else { return [] }
        do {
            let before = state.withLock { $0?.epoch == open.epoch ? $0?.sequence : nil } ?? open.sequence
            let words = try await stock.run(calls, on: open.epoch.runID)
            guard words.allSatisfy({ $0.sequence > before }) else {
                throw FlashStock.Lost(why: "it has gone back in time")
            }
            state.withLock { state in
                guard let known = state, known.epoch == open.epoch else { return }
                state?.sequence = max(known.sequence, words.map(\.sequence).max() ?? 0)
            }
            return words
        } catch let lost as FlashStock.Lost {
            self.lost.withLock { $0 = open.epoch.number }
            close(open.epoch, because: lost.why)
            throw lost
        }
    }

    /// What came back to the book is to be added in Redis.
    @Sendable
    func given() {
        // Who does not sell leaves it to those who do, or to the next epoch.
        if state.withLock({ $0 }) != nil { demand.offer(()) }
    }

    /// Has a product changed while nothing is counted, and begins the next epoch.
    ///
    /// - Throws: `Unavailable`, when nothing was changed.
    func changing<Result: Sendable>(
        _ body: @escaping @Sendable (borrowing PostgresTransaction) throws -> Result
    ) async throws -> Result {
        let token = UUID().uuidString
        guard try await book.close(by: token) else { throw Unavailable() }
        do {
            try await stock.close()
            let result = try await book.database.transaction { transaction in
                guard try FlashBook.isClosed(by: token, in: transaction) else { throw Unavailable() }
                let result = try body(transaction)
                FlashBook.reopen(by: token, in: transaction)
                return result
            }
            await beginAnew()
            return result
        } catch {
            do { try await book.reopen(by: token) } catch {
                logger.info("counting begins again later", metadata: ["error": "\(error)"])
            }
            await beginAnew()
            throw error is RedisError || error is FlashStock.Lost ? Unavailable() : error
        }
    }

    /// What counts is away, or at work.
    struct Unavailable: Error {}

    private func beginAnew() async {
        if let open = state.withLock({ $0 }) { close(open.epoch, because: "a product was changed") }
        // For a while: the answer to who changed it may well come before.
        _ = try? await open(within: .seconds(2))
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            guard (try? await self.ready()) != nil else { return }
            // From the start, so that the first customer need not wait.
            if await self.isNeeded() { self.demand.offer(()) }
            while !(await self.demand.take()).isEmpty, !Task.isCancelled {
                await self.openUp()
                await self.addGiven()
            }
        }
    }

    private func close(_ epoch: FlashBook.Epoch, because why: String) {
        let wasOpen = state.withLock { state in
            guard state?.epoch == epoch else { return false }
            state = nil
            return true
        }
        guard wasOpen else { return }
        metrics.isOpen(false)
        logger.warning(
            "the count of flash products is not to be used; it is made anew", metadata: ["reason": "\(why)"])
        demand.offer(())
    }

    private func isNeeded() async -> Bool {
        do { return try await !book.prices().isEmpty } catch { return true }
    }

    /// Until it is open, or the service stops.
    private func openUp() async {
        var attempt = 0
        var least: Int64 = 0
        while state.withLock({ $0 }) == nil || !stock.redis.isUp, !Task.isCancelled {
            attempt += 1
            do {
                if stock.redis.isUp, state.withLock({ $0 }) == nil, let open = try await tryOpen(&least) {
                    state.withLock { $0 = open }
                    metrics.isOpen(true)
                }
            } catch {
                logger.info("flash products cannot be counted yet", metadata: ["error": "\(error)"])
            }
            guard state.withLock({ $0 }) == nil || !stock.redis.isUp else { break }
            // Cancelled at a shutdown, which the loop sees.
            try? await Task.sleep(for: Self.backoff.delay(attempt: attempt))
        }
        for wakeup in waiting.withLock({ $0 }) { wakeup.call() }
    }

    private func tryOpen(_ least: inout Int64) async throws -> Open? {
        let runID = try await stock.runID()
        let known = try await book.epoch()
        if known.runID == runID, known.number >= least, lost.withLock({ $0 != known.number }) {
            let look = FlashScripts.commit(keys: FlashScripts.keys, [String(known.number)])
            do {
                return try await opened(known, sequence: try await stock.run([look], on: runID)[0].sequence)
            } catch let lost as FlashStock.Lost {
                logger.info("flash products are to be counted anew", metadata: ["reason": "\(lost.why)"])
            }
        }
        // From here on nobody takes anything by the old epoch: the book as it is read now would not know of it. Nor by one that
        // another replica begins meanwhile: it is refused, or this one is.
        let name = UUID().uuidString
        let end = FlashScripts.end(keys: FlashScripts.keys, [String(max(known.number, least - 1)), name])
        let ended = try await stock.run([end], on: runID)[0]
        guard ended.word == "done" else {
            // Another replica's, or of another time or place.
            least = (ended.about.flatMap(Int64.init) ?? 0) + 1
            return nil
        }
        guard let count = try await book.next(after: known, least: least, runID: runID) else { return nil }
        let word = try await stock.run([FlashScripts.begin(count, by: name)], on: runID)[0]
        guard word.word == "done" else { return nil }
        metrics.rebuilt()
        logger.notice(
            "the count of flash products was made anew from the book",
            metadata: [
                "epoch": "\(count.epoch.number)", "products": "\(count.products.count)",
                "branches": "\(count.kept.count)",
            ])
        Task { await self.sweep(count.epoch) }
        return try await opened(count.epoch, sequence: word.sequence)
    }

    /// What the new count has kept for branches that ended while it was made is no branch's any more.
    private func sweep(_ epoch: FlashBook.Epoch) async {
        for pause in [Duration.seconds(2), .seconds(10), .seconds(60)] {
            // Nobody cancels it.
            try? await Task.sleep(for: pause)
            guard let open = state.withLock({ $0 }), open.epoch == epoch else { return }
            do {
                // First what is kept, then what waits: a branch is remembered before anything is kept for it.
                let kept = try await stock.kept()
                let waiting = try await book.waiting(kept)
                let left = kept.filter { !waiting.contains($0) }
                guard !left.isEmpty else { continue }
                let committed = try await book.committed(left)
                let number = String(epoch.number)
                _ = try await run(
                    [FlashScripts.commit(keys: FlashScripts.keys, [number] + left.filter(committed.contains))]
                        + left.filter { !committed.contains($0) }.map { key in
                            FlashScripts.giveBack(
                                keys: FlashScripts.keys + [FlashScripts.over(key)], [number, key])
                        }, by: open)
                logger.info("what no branch waits for was let go", metadata: ["branches": "\(left.count)"])
            } catch {
                logger.info("what is kept could not be looked through", metadata: ["error": "\(error)"])
            }
        }
    }

    private func opened(_ epoch: FlashBook.Epoch, sequence: Int64) async throws -> Open {
        let prices = try await book.prices().map { (ByteKey($0.sku), $0.price) }
        return Open(epoch: epoch, prices: Dictionary(prices, uniquingKeysWith: { $1 }), sequence: sequence)
    }

    private func addGiven() async {
        do {
            while let open = state.withLock({ $0 }) {
                let given = try await book.given()
                guard !given.isEmpty else { return }
                let calls = given.map { id, sku, quantity in
                    FlashScripts.add(
                        keys: FlashScripts.keys + ["flash:given:\(id)"],
                        [String(open.epoch.number), sku, String(quantity)])
                }
                _ = try await run(calls, by: open)
                try await book.added(given.map(\.id))
            }
        } catch {
            // It is in the book; the next one who gives something back, or the next epoch, brings it.
            logger.info("what came back of flash products is not counted yet", metadata: ["error": "\(error)"])
        }
    }
}

/// What an operator watches.
struct FlashMetrics: Sendable {
    private let open = Gauge(label: "stock_flash_open")
    private let rebuilds = Counter(label: "stock_flash_rebuilds_total")

    func isOpen(_ isOpen: Bool) { open.record(isOpen ? 1 : 0) }
    func rebuilt() { rebuilds.increment() }
}
