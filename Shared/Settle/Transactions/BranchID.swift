/// The name of a branch within its global transaction: the path of calls that led to it.
///
/// The initiator's calls are 1, 2, 3; what a participant calls in turn, as branch 2, is 2.1, 2.2. So no two calls of one
/// transaction have the same name, whoever makes them, and a call that is made again keeps its own.
public struct BranchID: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible {
    /// How many bytes it may have.
    public static let maxLength = 64
    /// How many calls deep it may be.
    public static let maxDepth = 8

    /// The only branch of who names none.
    public static let first = BranchID(unchecked: "1")

    /// As it stands in headers, tables and logs.
    public let rawValue: String

    /// Nil unless it has 1 to 8 numbers from 1 on, without leading zeros, with dots in between: 64 bytes at most.
    public init?(rawValue: String) {
        let numbers = rawValue.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard rawValue.utf8.count <= Self.maxLength, numbers.count <= Self.maxDepth,
            numbers.allSatisfy({ number in
                number.first.map { $0 != UInt8(ascii: "0") } ?? false
                    && number.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            })
        else { return nil }
        self.rawValue = rawValue
    }

    private init(unchecked: String) { rawValue = unchecked }

    /// The call of that number that is made by this branch; nil where that would be too deep, or too long a name.
    ///
    /// - Parameter number: from 1 on.
    public func child(_ number: Int) -> BranchID? { BranchID(rawValue: "\(rawValue).\(number)") }

    /// The initiator's call of that number, from 1 on.
    static func call(_ number: Int) -> BranchID { BranchID(unchecked: String(number)) }

    /// The name itself.
    public var description: String { rawValue }
}
