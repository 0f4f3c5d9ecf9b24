import SettleCore
import Foundation
public import SettlePostgres

/// Writes messages with business transactions and, once those are committed, hands them to this process's relay.
///
/// The hand-over is in memory and may fail: the row is the truth, and comes due when its lease ends.
public struct MessageSender: Sendable {
    enum Event: Sendable {
        case saved(StoredMessage)
        case done(UUID)
    }

    let store: MessageStore
    let committed: Mailbox<Event>

    init(store: MessageStore) {
        self.store = store
        committed = Mailbox(capacity: store.settings.tasks.handoverCapacity)
    }

    /// Saves messages and has them sent, both with this transaction: for what follows from messages and outcomes, where there
    /// is no business before it that could fail, and nothing to be asked back.
    ///
    /// Nothing is waited for, so the statement travels in the transaction's own round trip.
    public func add(_ drafts: [MessageDraft], in transaction: borrowing PostgresTransaction) {
        guard !drafts.isEmpty else { return }
        store.insert(drafts, isDone: true, in: transaction)
        transaction.afterCommit { _ in
            saved(drafts)
            done(drafts.map(\.id))
        }
    }

    /// Has messages that were saved before sent if, and only if, this transaction commits.
    func complete(_ ids: [UUID], in transaction: borrowing PostgresTransaction) {
        guard !ids.isEmpty else { return }
        store.done(ids, in: transaction)
        transaction.afterCommit { _ in done(ids) }
    }

    func saved(_ drafts: [MessageDraft]) { committed.offer(contentsOf: drafts.map { .saved(StoredMessage($0)) }) }

    private func done(_ ids: [UUID]) { committed.offer(contentsOf: ids.map { .done($0) }) }
}
