import Logging
import Postgres

/// Does `items` as one batch and, should the batch fail for what is in it, one by one, so that one poisoned message
/// never holds up its neighbours.
///
/// An item that fails alone for what is in it goes to `onPoison`. One that meets a row which a global transaction holds
/// lets the others pass, and its error is thrown at the end. Any other failure (a database that is away) is thrown at
/// once. Whatever is thrown, the caller holds the batch and tries again.
func isolatingFailures<Item: Sendable>(
    of items: [Item], logger: Logger, perform: ([Item]) async throws -> Void,
    onPoison: (Item, _ reason: String) -> Void
) async throws {
    guard !items.isEmpty else { return }
    do {
        try await perform(items)
        return
    } catch let error as PostgresError where error.blamesContent || (error.isContended && items.count > 1) {
        logger.warning(
            "a batch failed for what is in it; trying its messages one by one",
            metadata: ["messages": "\(items.count)", "error": "\(error)"])
    }
    var contended: PostgresError?
    for item in items {
        do {
            try await perform([item])
        } catch let error as PostgresError where error.blamesContent {
            onPoison(item, "refused by the database: \(error.sqlState ?? "invalid parameter")")
        } catch let error as PostgresError where error.isContended {
            contended = error
        }
    }
    if let contended { throw contended }
}

extension PostgresError {
    /// Whether another transaction is in the way that will be gone soon.
    var isContended: Bool { isRowHeld || isSerializationConflict }

    /// Whether the values are at fault (SQLSTATE classes 22, data exception, and 23, integrity constraint violation),
    /// so that trying again cannot help.
    var blamesContent: Bool {
        switch kind {
        case .invalidParameter: true
        case .server: sqlState.map { $0.hasPrefix("22") || $0.hasPrefix("23") } ?? false
        default: false
        }
    }
}
