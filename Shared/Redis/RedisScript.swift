import SettleCore

/// A script that Redis runs, by its digest where it knows it already.
public struct RedisScript: Sendable {
    /// The script with keys and arguments.
    public struct Call: Sendable {
        private let script: RedisScript
        private let rest: [String]

        fileprivate init(_ script: RedisScript, _ rest: [String]) {
            self.script = script
            self.rest = rest
        }

        /// `EVALSHA`: short; `NOSCRIPT` where Redis does not know it, as after a start.
        public var command: RedisCommand { RedisCommand(["EVALSHA", script.digest] + rest) }
        /// `EVAL`, with the whole text: Redis knows it from then on.
        public var fullCommand: RedisCommand { RedisCommand(["EVAL", script.text] + rest) }
    }

    private let text: String
    private let digest: String

    /// A script in Lua.
    public init(_ text: String) {
        self.text = text
        digest = SHA1.hex(Array(text.utf8))
    }

    /// The script with keys and arguments.
    public func callAsFunction(keys: [String], _ arguments: [String]) -> Call {
        Call(self, [String(keys.count)] + keys + arguments)
    }
}

extension RedisReply {
    /// Whether Redis does not know the script whose digest it was given.
    public var isUnknownScript: Bool { if case .error(let text) = self { text.hasPrefix("NOSCRIPT") } else { false } }
}

/// FIPS 180-4; only by this does Redis name scripts. It protects nothing.
enum SHA1 {
    static func hex(_ message: [UInt8]) -> String {
        var state: [UInt32] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0]
        var bytes = message + [0x80]
        bytes += Array(repeating: 0, count: (120 - bytes.count % 64) % 64)
        let length = UInt64(message.count) * 8
        bytes += (0..<8).map { UInt8(truncatingIfNeeded: length >> (56 - 8 * $0)) }
        for start in stride(from: 0, to: bytes.count, by: 64) { compress(bytes[start..<start + 64], into: &state) }
        return state.map { word in
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 8 - digits.count) + digits
        }.joined()
    }

    private static func compress(_ block: ArraySlice<UInt8>, into state: inout [UInt32]) {
        var words = stride(from: block.startIndex, to: block.endIndex, by: 4).map { index in
            block[index..<index + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        }
        for index in 16..<80 {
            words.append(rotate(words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16], 1))
        }
        var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
        for (index, word) in words.enumerated() {
            let (mixed, constant): (UInt32, UInt32) =
                switch index {
                case 0..<20: ((b & c) | (~b & d), 0x5a82_7999)
                case 20..<40: (b ^ c ^ d, 0x6ed9_eba1)
                case 40..<60: ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc)
                default: (b ^ c ^ d, 0xca62_c1d6)
                }
            (a, b, c, d, e) = (rotate(a, 5) &+ mixed &+ e &+ constant &+ word, a, rotate(b, 30), c, d)
        }
        state = zip(state, [a, b, c, d, e]).map { $0 &+ $1 }
    }

    private static func rotate(_ word: UInt32, _ count: UInt32) -> UInt32 { word << count | word >> (32 - count) }
}
