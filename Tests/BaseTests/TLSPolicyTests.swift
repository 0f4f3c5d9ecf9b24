import SettleCore
import Testing

@Suite("The system's certificate authorities")
struct TLSPolicyTests {
    @Test("what the environment names comes first, then where systems keep them, if it can be read")
    func places() {
        let debian = "/etc/ssl/certs/ca-certificates.crt"
        #expect(TLSPolicy.systemAuthorities(environment: [:], isReadable: { _ in true }) == debian)
        let named = ["SSL_CERT_FILE": "/mine.pem"]
        #expect(TLSPolicy.systemAuthorities(environment: named, isReadable: { _ in true }) == "/mine.pem")
        #expect(TLSPolicy.systemAuthorities(environment: named, isReadable: { $0 == debian }) == debian)
        #expect(TLSPolicy.systemAuthorities(environment: named, isReadable: { _ in false }) == nil)
    }
}
