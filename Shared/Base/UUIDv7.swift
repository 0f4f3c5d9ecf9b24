public import Foundation

extension UUID {
    /// A time-ordered UUID, version 7 of RFC 9562, with the fraction of the millisecond in `rand_a` (its section 6.2,
    /// method 3). Rows keyed by it are inserted at the right edge of their index.
    ///
    /// Its 48 bits of milliseconds count from 1970 to the year 10889: what lies outside is taken as the nearer end, so that
    /// a clock that is wrong makes an odd key and no crash.
    public static func v7(at date: Date = Date()) -> UUID {
        let milliseconds = milliseconds(at: date)
        let whole = UInt64(milliseconds)
        let fraction = UInt64((milliseconds - Double(whole)) * 4096) & 0xfff
        let random = UInt64.random(in: 0...UInt64.max) & 0x3fff_ffff_ffff_ffff
        return UUID(high: whole << 16 | 0x7000 | fraction, low: 0x8000_0000_0000_0000 | random)
    }

    /// None of version 7 that was made in the millisecond of `date` or later comes before it.
    package static func leastV7(at date: Date) -> UUID {
        UUID(high: UInt64(milliseconds(at: date)) << 16 | 0x7000, low: 0x8000_0000_0000_0000)
    }

    /// Only of a text as PostgreSQL writes it: small letters, and hyphens where they belong.
    package init?(canonical text: String) {
        guard let id = UUID(uuidString: text), id.uuidString.lowercased() == text else { return nil }
        self = id
    }

    private static func milliseconds(at date: Date) -> Double {
        let last = 281_474_976_710_655.0
        // In this order: comparisons with NaN are false, which leaves the zero.
        return min(max(0, date.timeIntervalSince1970 * 1000), last)
    }

    private init(high: UInt64, low: UInt64) {
        func byte(_ word: UInt64, _ index: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: word >> (56 - 8 * index)) }
        self.init(
            uuid: (
                byte(high, 0), byte(high, 1), byte(high, 2), byte(high, 3), byte(high, 4), byte(high, 5),
                byte(high, 6), byte(high, 7), byte(low, 0), byte(low, 1), byte(low, 2), byte(low, 3), byte(low, 4),
                byte(low, 5), byte(low, 6), byte(low, 7)
            ))
    }
}
