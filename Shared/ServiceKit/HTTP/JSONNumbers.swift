import Foundation

/// Finds the number that a field cannot hold: Foundation's decoder does not say where it is, and rounds some of them
/// to whole numbers.
///
/// Which numbers a type reads, and as what, only the decoder knows. So it is asked again with other numbers in their
/// places, as often as halving takes, and only for bodies that hold a suspect at all.
enum JSONNumbers {
    /// More suspects than this in one body are not looked at: a bound on the work, not a case that occurs.
    static let maxCandidates = 128

    private struct Candidate {
        let number: JSONSyntax.Number
        /// What the decoder takes in its place, and what it may not take.
        let harmless, suspect: String
    }

    /// The first number that made the decoder fail.
    static func unreadable<T: Decodable>(_ type: T.Type, _ bytes: [UInt8]) -> JSONPath? {
        let numbers = JSONSyntax.unusualNumbers(bytes).prefix(maxCandidates)
        return firstThatFails(type, bytes, numbers.map { Candidate(number: $0, harmless: "1", suspect: $0.text) })
    }

    /// The first number that a field of whole numbers took for another than it is: `1.0000000000000000001` for 1.
    static func rounded<T: Decodable>(_ type: T.Type, _ bytes: [UInt8]) -> JSONPath? {
        let numbers = JSONSyntax.unusualNumbers(bytes).filter { isRounded($0.text) }.prefix(maxCandidates)
        // A field of fractions takes one half, too.
        return firstThatFails(
            type, bytes, numbers.map { Candidate(number: $0, harmless: $0.text, suspect: "0.5") })
    }

    /// By halving: with the first `low` of the candidates as suspects decoding works, with the first `high` it fails.
    private static func firstThatFails<T: Decodable>(
        _ type: T.Type, _ bytes: [UInt8], _ candidates: [Candidate]
    ) -> JSONPath? {
        var (low, high) = (0, candidates.count)
        guard high > 0, fails(type, bytes, candidates, suspects: high), !fails(type, bytes, candidates, suspects: low)
        else { return nil }
        while high - low > 1 {
            let middle = (low + high) / 2
            if fails(type, bytes, candidates, suspects: middle) { high = middle } else { low = middle }
        }
        return candidates[low].number.path
    }

    private static func fails<T: Decodable>(
        _ type: T.Type, _ bytes: [UInt8], _ candidates: [Candidate], suspects: Int
    ) -> Bool {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count)
        var copied = 0
        for (index, candidate) in candidates.enumerated() {
            text += bytes[copied..<candidate.number.place.lowerBound]
            text += (index < suspects ? candidate.suspect : candidate.harmless).utf8
            copied = candidate.number.place.upperBound
        }
        text += bytes[copied...]
        do {
            _ = try JSONCoding.decoder.decode(type, from: Data(text))
            return false
        } catch DecodingError.dataCorrupted(let context) {
            return context.codingPath.isEmpty
        } catch {
            return false  // about something else, which says itself where it is
        }
    }

    /// Whether a Double makes a whole number of it that it is not.
    static func isRounded(_ text: String) -> Bool {
        guard let double = Double(text), double.isFinite, double == double.rounded() else { return false }
        guard let exact = wholeNumber(text) else { return true }
        return Int64(exact) != nil && Int64(exact) != Int64(exactly: double)
    }

    /// A number of the grammar of JSON without fraction and exponent: `-120` for `-1.20e2`. Nil when it is not whole.
    /// One far beyond 64 bits comes out shorter, and as far beyond.
    private static func wholeNumber(_ text: String) -> String? {
        let parts = text.lowercased().split(separator: "e", maxSplits: 1)
        let mantissa = parts[0].drop { $0 == "-" }.split(separator: ".", maxSplits: 1)
        let fraction = mantissa.count > 1 ? mantissa[1] : ""
        let digits = (mantissa[0] + fraction).drop { $0 == "0" }
        guard let last = digits.lastIndex(where: { $0 != "0" }) else { return "0" }
        let significant = digits[...last]
        let zeros = exponent(parts.count > 1 ? parts[1] : "0") - fraction.count + digits.count - significant.count
        guard zeros >= 0 else { return nil }
        return (text.hasPrefix("-") ? "-" : "") + significant + String(repeating: "0", count: min(zeros, 20))
    }

    /// Far beyond what a Double has, only its sign matters.
    private static func exponent(_ text: Substring) -> Int {
        let most = 1_000_000_000
        return min(max(Int(text) ?? (text.hasPrefix("-") ? -most : most), -most), most)
    }
}
