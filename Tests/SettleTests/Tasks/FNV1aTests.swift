import Testing

@testable import Settle

@Suite("FNV-1a")
struct FNV1aTests {
    @Test(
        "the vectors of the FNV draft (draft-eastlake-fnv, appendix C)",
        arguments: [
            ("", 0xcbf2_9ce4_8422_2325 as UInt64), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8),
        ])
    func vectors(text: String, hash: UInt64) {
        #expect(FNV1a.hash(text.utf8) == hash)
    }
}
