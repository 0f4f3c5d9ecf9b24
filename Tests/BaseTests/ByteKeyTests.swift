import SettleCore
import Testing

@Suite("Texts as keys")
struct ByteKeyTests {
    private let composed = "caf\u{E9}"
    private let decomposed = "cafe\u{301}"

    @Test("two texts that look alike are two keys when their bytes differ")
    func bytes() {
        #expect(composed == decomposed, "String takes them for one: that is why there are keys")
        #expect(ByteKey(composed) != ByteKey(decomposed))
        #expect([composed, decomposed, composed].byteKeys.count == 2)
        let prices = [ByteKey(composed): 10, ByteKey(decomposed): 1000]
        #expect(prices[ByteKey("caf\u{E9}")] == 10)
        #expect(prices[ByteKey("cafe\u{301}")] == 1000)
    }

    @Test("keys are in the order of their bytes")
    func order() {
        let sorted = ["b", composed, decomposed, "", "caf"].map(ByteKey.init).sorted().map(\.text)
        #expect(sorted.map { Array($0.utf8) } == ["", "b", "caf", decomposed, composed].map { Array($0.utf8) })
    }
}
