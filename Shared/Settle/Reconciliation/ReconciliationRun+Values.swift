import SettleCore

/// How much a balance is off: what stays the same while business goes on.
struct BalanceGap: Hashable {
    let account: ByteKey
    let column: ByteKey
    let gap: Int64

    init(_ difference: BalanceDifference) {
        account = ByteKey(difference.account)
        column = ByteKey(difference.column)
        gap = difference.ledger &- difference.balance
    }
}

struct TooManyDifferences: Error {}

/// A difference with its name.
struct Described: Sendable {
    let difference: BookDifference
    let kind: String
    let detail: String
    let isMendable: Bool

    var repair: @Sendable (String) -> ReconciliationStore.Repair {
        { after in
            ReconciliationStore.Repair(
                kind: kind, key: difference.difference.key, before: detail, after: after, reason: "reconciliation")
        }
    }

    func finding(isRepaired: Bool, hasProposal: Bool) -> ReconciliationFinding {
        let (key, book) = (difference.difference.key, difference.book)
        let adjust = ReconciliationProposal.adjust(
            book: book, key: key, before: difference.difference.booked, after: difference.difference.expected)
        var finding = ReconciliationFinding(
            kind: kind, orderId: key, book: book, detail: detail, proposal: hasProposal ? adjust : nil)
        finding.repaired = isRepaired
        return finding
    }
}

extension BusinessStray {
    var repair: @Sendable (String) -> ReconciliationStore.Repair {
        { after in
            ReconciliationStore.Repair(
                kind: kind, key: key, before: detail, after: after, reason: "reconciliation")
        }
    }
}
