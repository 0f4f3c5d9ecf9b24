import SettleCore

/// Durations as an operator writes them: a whole number and its unit.
enum DurationText {
    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000),
    ]

    private static func parse(_ text: String) -> Duration? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int64(digits), let unit = units.first(where: { $0.suffix == text.dropFirst(digits.count) })
        else { return nil }
        let (milliseconds, isTooLong) = number.multipliedReportingOverflow(by: unit.milliseconds)
        return isTooLong ? nil : .milliseconds(milliseconds)
    }

    /// Nil for what is none, or outside of the range.
    static func parse(_ text: String, in range: ClosedRange<Duration>) -> Duration? {
        parse(text).flatMap { range.contains($0) ? $0 : nil }
    }

    /// What is expected, for an operator.
    static func form(_ range: ClosedRange<Duration>) -> String {
        "a duration from \(format(range.lowerBound)) to \(format(range.upperBound))"
    }

    /// In the largest unit that shows it whole, to the millisecond.
    static func format(_ duration: Duration) -> String {
        let milliseconds = Int64(duration.milliseconds)
        if milliseconds == 0 { return "0s" }
        let unit = units.last { milliseconds.isMultiple(of: $0.milliseconds) }
        return "\(milliseconds / (unit?.milliseconds ?? 1))\(unit?.suffix ?? "ms")"
    }
}
