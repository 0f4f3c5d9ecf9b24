import Foundation
import SettleCore

/// Keys that are UUIDs of version 7 as points in time. Pure.
extension LedgerRange {
    /// No UUID of version 7 that was made at `date` or later comes before it.
    static func key(at date: Date) -> String {
        UUID.leastV7(at: date).uuidString.lowercased()
    }

    /// Into at most so many ranges of the same length in time, from the first bound to the last; one when it cannot be
    /// divided any more.
    func bounds(dividedBy count: Int) -> [String] {
        guard let to, let low = Self.number(from), let high = Self.number(to), high > low else {
            return [from] + (to.map { [$0] } ?? [])
        }
        let step = max(1, (high - low) / UInt64(max(1, count)))
        var bounds = [from]
        var next = low
        while bounds.count < count, high - next > step {
            next += step
            bounds.append(Self.key(next, low: "0000-000000000000"))
        }
        return bounds + [to]
    }

    /// The first 64 bits of a UUID; 0 for the range that is open below; nil for what is no UUID.
    private static func number(_ key: String) -> UInt64? {
        if key.isEmpty { return 0 }
        guard UUID(uuidString: key) != nil else { return nil }
        return UInt64(key.replacing("-", with: "").prefix(16), radix: 16)
    }

    private static func key(_ number: UInt64, low: String) -> String {
        let text = String(number, radix: 16)
        let digits = String(repeating: "0", count: max(0, 16 - text.count)) + text
        return "\(digits.prefix(8))-\(digits.dropFirst(8).prefix(4))-\(digits.dropFirst(12))-\(low)"
    }
}
