import Foundation

/// The ISO form of `timestamptz`, `timestamp` (taken as UTC) and `date`: `2024-05-06 07:08:09.123456+00`.
///
/// By hand, since Foundation's formatters cost microseconds each and know neither the space nor the microseconds.
/// Days and dates are converted as in Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
enum TimestampText {
    /// What PostgreSQL can hold, in seconds since 1970: from Julian day zero up to the year 294277.
    static let range = -210_866_803_200.0..<9_224_318_016_000.0

    /// - Precondition: the date is in `range`.
    static func text(of date: Date) -> String {
        // Apart, since the last years of the range have more microseconds than an Int64 can count.
        let whole = date.timeIntervalSince1970.rounded(.down)
        let fraction = Int64(((date.timeIntervalSince1970 - whole) * 1_000_000).rounded())
        let (days, seconds) = (Int64(whole) + fraction / 1_000_000).flooredDivision(by: 86_400)
        let (year, month, day) = civil(days: days)
        let time = [seconds / 3_600, seconds / 60 % 60, seconds % 60].map { padded($0, 2) }.joined(separator: ":")
        // PostgreSQL has no year zero: it is 1 BC.
        let era = year > 0 ? "" : " BC"
        let shownYear = padded(year > 0 ? year : 1 - year, 4)
        return "\(shownYear)-\(padded(month, 2))-\(padded(day, 2)) \(time).\(padded(fraction % 1_000_000, 6))+00\(era)"
    }

    /// The point in time, or `nil` when the text is another form (`infinity` too).
    static func date(of text: some Collection<UInt8>) -> Date? {
        var scanner = Scanner(rest: ArraySlice(text))
        guard let year = scanner.number(), scanner.skip("-"), let month = scanner.number(), scanner.skip("-"),
            let day = scanner.number(), (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        var microseconds: Int64 = 0
        if scanner.skip(" ") {
            guard let time = scanner.time() else { return nil }
            microseconds = time
        }
        let isBC = scanner.skip(" ") && scanner.skip("B") && scanner.skip("C")
        guard scanner.rest.isEmpty else { return nil }
        let days = days(year: isBC ? 1 - year : year, month: month, day: day)
        return Date(timeIntervalSince1970: Double(days) * 86_400 + Double(microseconds) / 1_000_000)
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// Days since 1970 to year, month, day.
    private static func civil(days: Int64) -> (Int64, Int64, Int64) {
        let (era, dayOfEra) = (days + 719_468).flooredDivision(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }

    /// Year, month, day to days since 1970.
    private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let (era, yearOfEra) = (month <= 2 ? year - 1 : year).flooredDivision(by: 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}

/// Reads the parts of a timestamp from the front.
private struct Scanner {
    var rest: ArraySlice<UInt8>

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard let first = rest.first, first == UInt8(ascii: character) else { return false }
        rest.removeFirst()
        return true
    }

    /// At most nine digits, which no field exceeds, so that nothing can overflow.
    mutating func number() -> Int64? {
        let digits = rest.prefix(9).prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard !digits.isEmpty else { return nil }
        rest.removeFirst(digits.count)
        return digits.reduce(0) { $0 * 10 + Int64($1 - UInt8(ascii: "0")) }
    }

    /// `07:08:09.123456+05:30` as microseconds of the day in UTC.
    mutating func time() -> Int64? {
        guard let hour = number(), skip(":"), let minute = number(), skip(":"), let second = number() else {
            return nil
        }
        var microseconds = (hour * 3_600 + minute * 60 + second) * 1_000_000
        if skip(".") {
            let before = rest.count
            guard let fraction = number() else { return nil }
            let digits = before - rest.count
            guard digits <= 6 else { return nil }
            microseconds += (digits..<6).reduce(fraction) { value, _ in value * 10 }
        }
        for (sign, factor) in [("+" as Unicode.Scalar, Int64(-1)), ("-", 1)] where skip(sign) {
            guard var offset = number().map({ $0 * 3_600 }) else { return nil }
            if skip(":") { offset += (number() ?? 0) * 60 }
            if skip(":") { offset += number() ?? 0 }
            microseconds += factor * offset * 1_000_000
        }
        return microseconds
    }
}

extension Int64 {
    /// Quotient and remainder with the remainder never negative, as calendars need for times before 1970.
    fileprivate func flooredDivision(by divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
