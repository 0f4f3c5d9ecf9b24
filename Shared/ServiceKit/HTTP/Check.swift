/// Rules for values of a body; each failure is a 422 that names the field.
public enum Check {
    /// The number of Unicode scalars, which is what PostgreSQL's `char_length` counts.
    public static func length(_ field: String, _ value: String, _ range: ClosedRange<Int>) throws(Problem) {
        guard range.contains(value.unicodeScalars.count) else {
            throw .unprocessable("\(field) must have \(range.lowerBound) to \(range.upperBound) characters")
        }
    }

    /// A number between two bounds, both allowed.
    public static func range<T: Comparable>(_ field: String, _ value: T, in range: ClosedRange<T>) throws(Problem) {
        guard range.contains(value) else {
            throw .unprocessable("\(field) must be from \(range.lowerBound) to \(range.upperBound)")
        }
    }

    /// The number of elements.
    public static func count(_ field: String, _ value: some Collection, _ range: ClosedRange<Int>) throws(Problem) {
        guard range.contains(value.count) else {
            throw .unprocessable("\(field) must have \(range.lowerBound) to \(range.upperBound) entries")
        }
    }

    /// One of a few words.
    public static func choice(_ field: String, _ value: String, of choices: [String]) throws(Problem) {
        guard choices.contains(value) else {
            throw .unprocessable("\(field) must be one of \(choices.joined(separator: ", "))")
        }
    }
}
