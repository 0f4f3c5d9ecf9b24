/// Durations counted in buckets that are at most a sixty-fourth wide: any number of them in a few kilobytes, and every
/// percentile to 1.6 %.
struct Histogram: Sendable, Equatable {
    private static let bits = 6
    private static let perDoubling = 1 << bits

    private var counts: [Int] = []
    private(set) var count = 0
    private(set) var longest: Duration = .zero

    mutating func record(_ duration: Duration) {
        let index = Self.bucket(of: max(0, Self.microseconds(duration)))
        if index >= counts.count { counts += Array(repeating: 0, count: index + 1 - counts.count) }
        counts[index] += 1
        count += 1
        longest = max(longest, duration)
    }

    /// What `percent` of them did not exceed, in milliseconds; nil where there are none.
    func percentile(_ percent: Double) -> Double? {
        guard count > 0 else { return nil }
        let rank = min(count, max(1, Int((percent / 100 * Double(count)).rounded(.up))))
        var seen = 0
        for (index, number) in counts.enumerated() {
            seen += number
            if seen >= rank { return Double(min(Self.end(of: index), Self.microseconds(longest))) / 1000 }
        }
        return nil
    }

    private static func microseconds(_ duration: Duration) -> Int {
        let (seconds, attoseconds) = duration.components
        return Int(seconds) * 1_000_000 + Int(attoseconds / 1_000_000_000_000)
    }

    /// One each up to 63 µs, then 64 for every doubling.
    private static func bucket(of value: Int) -> Int {
        guard value >= perDoubling else { return value }
        let shift = Int.bitWidth - 1 - value.leadingZeroBitCount - bits
        return (shift + 1) * perDoubling + (value >> shift) - perDoubling
    }

    /// The greatest value in it.
    private static func end(of bucket: Int) -> Int {
        guard bucket >= perDoubling else { return bucket }
        let shift = bucket / perDoubling - 1
        return ((bucket % perDoubling + perDoubling + 1) << shift) - 1
    }
}
