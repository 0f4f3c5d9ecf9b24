import SettleCore
import Testing

@Suite struct StringCutTests {
    @Test func bytesAreCountedAndCharactersOfUTF8StayWhole() {
        #expect("abc".cut(toBytes: 3) == "abc")
        #expect("abc".cut(toBytes: 2) == "ab")
        #expect("äöü".cut(toBytes: 3) == "ä")
        #expect("a😀".cut(toBytes: 4) == "a")
        #expect("😀".cut(toBytes: 3).isEmpty)
        #expect("x".cut(toBytes: 0).isEmpty)
    }

    /// One character to Swift, whatever its length.
    @Test func aCharacterWithoutEndIsCutAllTheSame() {
        let long = "e" + String(repeating: "\u{0301}", count: 10_000)
        #expect(long.cut(toBytes: 500).utf8.count == 499)
    }
}
