/// The W3C Trace Context `traceparent` header: which trace a request belongs to, and which span asked.
///
/// `00-<32 hex: trace id>-<16 hex: span id>-<2 hex: flags>`; see https://www.w3.org/TR/trace-context/.
public struct TraceParent: Sendable, Hashable, CustomStringConvertible {
    /// 32 lower-case hexadecimal digits, never all zero.
    public let traceID: String
    /// 16 lower-case hexadecimal digits, never all zero.
    public let spanID: String
    /// Bit 0: the caller records this trace.
    public let flags: UInt8

    /// The header as sent.
    public var description: String { "00-\(traceID)-\(spanID)-\(Self.hex(UInt64(flags), digits: 2))" }

    /// `nil` for anything the standard calls invalid; a later version than 00 may have more fields, which are ignored.
    public init?(_ header: String) {
        let fields = header.split(separator: "-", omittingEmptySubsequences: false)
        guard fields.count >= 4, fields[0].utf8.count == 2, fields[0] != "ff", Self.isLowerHex(fields[0]),
            fields.count == 4 || fields[0] != "00",
            fields[1].utf8.count == 32, Self.isIdentifier(fields[1]),
            fields[2].utf8.count == 16, Self.isIdentifier(fields[2]),
            fields[3].utf8.count == 2, Self.isLowerHex(fields[3]), let flags = UInt8(fields[3], radix: 16)
        else { return nil }
        self.init(traceID: String(fields[1]), spanID: String(fields[2]), flags: flags)
    }

    /// The start of a new trace.
    public static func random() -> TraceParent {
        TraceParent(traceID: identifier() + identifier(), spanID: identifier(), flags: 1)
    }

    /// The same trace, a new span: what this process calls itself when it calls others.
    public func child() -> TraceParent { TraceParent(traceID: traceID, spanID: Self.identifier(), flags: flags) }

    /// Whether the caller records this trace.
    public var isSampled: Bool { flags & 1 == 1 }

    /// The same, as what a caller says who records it, or does not.
    public func sampled(_ isSampled: Bool) -> TraceParent {
        TraceParent(traceID: traceID, spanID: spanID, flags: isSampled ? flags | 1 : flags & ~1)
    }

    /// Whether a header says that its trace is recorded. Nothing else of it is looked at: for many of which few are.
    package static func saysSampled(_ header: String) -> Bool {
        let bytes = header.utf8
        guard let place = bytes.index(bytes.startIndex, offsetBy: 54, limitedBy: bytes.endIndex), place < bytes.endIndex
        else { return false }
        return (Character(UnicodeScalar(bytes[place])).hexDigitValue ?? 0) & 1 == 1
    }

    private init(traceID: String, spanID: String, flags: UInt8) {
        self.traceID = traceID
        self.spanID = spanID
        self.flags = flags
    }

    private static func identifier() -> String { hex(UInt64.random(in: 1 ... .max), digits: 16) }

    private static func hex(_ value: UInt64, digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: digits - text.count) + text
    }

    private static func isLowerHex(_ text: Substring) -> Bool {
        text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || (97...102).contains($0) }
    }

    private static func isIdentifier(_ text: Substring) -> Bool {
        isLowerHex(text) && text.utf8.contains { $0 != UInt8(ascii: "0") }
    }
}
