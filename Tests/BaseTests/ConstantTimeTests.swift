import SettleCore
import Testing

@Suite("Comparing secrets")
struct ConstantTimeTests {
    @Test("bytes that differ in one bit are not equal, whichever bit of whichever byte")
    func anyBit() {
        for length in 1...40 {
            let secret = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 11) }
            #expect(secret.isEqualInConstantTime(to: secret))
            for bit in 0..<(8 * length) {
                var other = secret
                other[bit / 8] ^= 1 << (bit % 8)
                #expect(!other.isEqualInConstantTime(to: secret), "bit \(bit) of \(length) bytes")
            }
        }
    }
}
