public import Hummingbird

/// Parts of the query; a value that cannot be used is a 422 that names its parameter.
extension Request {
    /// `nil` when it is absent; what is empty has no characters.
    public func queryString(_ name: String, _ length: ClosedRange<Int> = 0...255) throws(Problem) -> String? {
        guard let raw = uri.queryParameters[name[...]] else { return nil }
        let value = String(raw)
        guard length.contains(value.unicodeScalars.count), !value.unicodeScalars.contains("\0") else {
            throw .unprocessable(
                "\(name) must have \(length.lowerBound) to \(length.upperBound) characters, none of them U+0000")
        }
        return value
    }

    /// `nil` when it is absent.
    public func queryInteger(_ name: String, in range: ClosedRange<Int>) throws(Problem) -> Int? {
        guard let text = try queryString(name) else { return nil }
        guard let value = Int(text), range.contains(value) else {
            throw .unprocessable("\(name) must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    /// The default when it is absent.
    public func queryInteger(_ name: String, in range: ClosedRange<Int>, default: Int) throws(Problem) -> Int {
        try queryInteger(name, in: range) ?? `default`
    }

    /// One of a few words; `nil` when it is absent.
    public func queryChoice(_ name: String, of choices: [String]) throws(Problem) -> String? {
        guard let value = try queryString(name) else { return nil }
        guard choices.contains(value) else {
            throw .unprocessable("\(name) must be one of \(choices.joined(separator: ", "))")
        }
        return value
    }
}
