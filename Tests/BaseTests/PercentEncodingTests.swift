import SettleCore
import Testing

@Suite struct PercentEncodingTests {
    @Test(arguments: ["", "a", "%00", "a%2Fb%2f", "%25zz"])
    func valid(text: String) {
        #expect(PercentEncoding.isValid(text))
    }

    @Test(arguments: ["%", "%2", "%zz", "a%", "%%20", "%2%", "%é0"])
    func invalid(text: String) {
        #expect(!PercentEncoding.isValid(text))
    }
}
