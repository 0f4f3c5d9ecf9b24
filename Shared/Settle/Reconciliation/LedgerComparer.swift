import SettleCore

/// Compares what is expected with what a book holds. Pure.
public enum LedgerComparer {
    /// A key whose entry is not what is expected.
    public struct Difference: Sendable, Equatable {
        /// Whose.
        public let key: String
        /// What should be there; empty for nothing.
        public let expected: [LedgerLine]
        /// What is there.
        public let booked: [LedgerLine]
    }

    /// What differs, in the order of keys by their bytes.
    public static func differences(expected: [LedgerEntry], booked: [LedgerEntry]) -> [Difference] {
        var booked = Dictionary(booked.map { (ByteKey($0.key), $0.lines) }, uniquingKeysWith: +)
        var different: [Difference] = []
        for entry in expected {
            let lines = booked.removeValue(forKey: ByteKey(entry.key)) ?? []
            if !isSame(entry.lines, lines) {
                different.append(Difference(key: entry.key, expected: sorted(entry.lines), booked: sorted(lines)))
            }
        }
        for (key, lines) in booked where !isSame([], lines) {
            different.append(Difference(key: key.text, expected: [], booked: sorted(lines)))
        }
        return different.sorted { ByteKey($0.key) < ByteKey($1.key) }
    }

    /// In the order of the bytes of account, then kind.
    public static func sorted(_ lines: [LedgerLine]) -> [LedgerLine] {
        lines.sorted { Name($0) < Name($1) }
    }

    /// Whether both come to the same, line by line.
    static func isSame(_ one: [LedgerLine], _ other: [LedgerLine]) -> Bool { delta(from: one, to: other).isEmpty }

    /// The lines that make `after` of `before`. What cannot be counted is cut at what can.
    static func delta(from before: [LedgerLine], to after: [LedgerLine]) -> [LedgerLine] {
        var sums: [Name: Int64] = [:]
        for line in after { sums[Name(line), default: 0].add(line.amount) }
        for line in before { sums[Name(line), default: 0].add(line.amount == .min ? .max : -line.amount) }
        return sorted(
            sums.filter { $0.value != 0 }
                .map { LedgerLine(account: $0.key.account.text, kind: $0.key.kind.text, amount: $0.value) })
    }

    private struct Name: Hashable, Comparable {
        let account: ByteKey
        let kind: ByteKey

        init(_ line: LedgerLine) {
            account = ByteKey(line.account)
            kind = ByteKey(line.kind)
        }

        static func < (one: Name, other: Name) -> Bool {
            (one.account, one.kind) < (other.account, other.kind)
        }
    }
}

extension Int64 {
    fileprivate mutating func add(_ other: Int64) {
        let (sum, overflow) = addingReportingOverflow(other)
        self = overflow ? (other < 0 ? .min : .max) : sum
    }
}
