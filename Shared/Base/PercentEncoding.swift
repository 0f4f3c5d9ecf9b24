/// What RFC 3986 (2.1) says of `%` in a URL, which Foundation's parser lets pass and takes for itself.
public enum PercentEncoding {
    /// Whether every `%` is followed by two hexadecimal digits.
    public static func isValid(_ text: String) -> Bool {
        var rest = Array(text.utf8)[...]
        while let percent = rest.firstIndex(of: UInt8(ascii: "%")) {
            rest = rest[(percent + 1)...]
            guard rest.count >= 2, rest.prefix(2).allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }) else {
                return false
            }
        }
        return true
    }
}
