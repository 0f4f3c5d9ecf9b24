import SettleCore
import Foundation
import Testing

@Suite("UUIDv7")
struct UUIDv7Tests {
    @Test("version and variant as RFC 9562 has them")
    func bits() {
        for _ in 0..<100 {
            let bytes = UUID.v7().uuid
            #expect(bytes.6 >> 4 == 7)
            #expect(bytes.8 >> 6 == 0b10)
        }
    }

    @Test("the first 48 bits are the milliseconds since 1970")
    func milliseconds() {
        // The example of RFC 9562, appendix A.6: 2022-02-22 19:22:22 UTC.
        let uuid = UUID.v7(at: Date(timeIntervalSince1970: 1_645_557_742)).uuidString
        #expect(uuid.hasPrefix("017F22E2-79B0-7000-"))
    }

    @Test("later ones sort after earlier ones, within the millisecond too")
    func order() {
        let start = Date(timeIntervalSince1970: 1_700_000_000)
        let uuids = (0..<5_000).map { UUID.v7(at: start.addingTimeInterval(Double($0) * 0.000_001)).uuidString }
        #expect(uuids == uuids.sorted())
    }

    @Test("no two are the same, not even at the same moment")
    func unique() {
        let now = Date()
        #expect(Set((0..<10_000).map { _ in UUID.v7(at: now) }).count == 10_000)
    }

    @Test(
        "a time outside its range is taken as the nearer end",
        arguments: [
            (-1, "00000000-0000-7"), (-.infinity, "00000000-0000-7"), (.nan, "00000000-0000-7"),
            (1e300, "FFFFFFFF-FFFF-7"), (.infinity, "FFFFFFFF-FFFF-7"),
        ] as [(Double, String)])
    func edges(seconds: Double, start: String) {
        #expect(UUID.v7(at: Date(timeIntervalSince1970: seconds)).uuidString.hasPrefix(start))
    }
}
