import Testing

@testable import Settle

@Suite("XIDs and what requests say of them")
struct NamesTests {
    @Test("an XID is short and plain, since it becomes a part of other names")
    func xid() {
        for text in ["", String(repeating: "a", count: 65), "a:b", "a b", "a'b", "ä", "a\0b", "a/b"] {
            #expect(XID(rawValue: text) == nil, "\(text)")
        }
        for text in ["a", String(repeating: "a", count: 64), "A-z_09"] { #expect(XID(rawValue: text) != nil) }
        #expect(XID(rawValue: XID().rawValue) != nil)
        #expect(XID() != XID())
    }

    @Test("a branch request names its transaction, its mode and its initiator, or it is none")
    func context() {
        let headers = ["Settle-XID": "x1", "Settle-Mode": "tcc", "Settle-Initiator": "http://order:8080"]
        #expect(
            BranchContext { headers[$0] }
                == BranchContext(xid: XID(rawValue: "x1")!, mode: .tcc, initiator: "http://order:8080"))
        for (name, bad) in [
            ("Settle-XID", nil), ("Settle-XID", "a b"), ("Settle-Mode", nil), ("Settle-Mode", "message"),
            ("Settle-Initiator", nil), ("Settle-Initiator", ""),
            ("Settle-Initiator", String(repeating: "x", count: BranchContext.maxInitiatorLength + 1)),
        ] {
            #expect(BranchContext { $0 == name ? bad : headers[$0] } == nil, "\(name): \(bad ?? "nil")")
        }
    }

    @Test("where a name is sent as well, it counts and not the base URL")
    func initiatorName() {
        let headers = [
            "Settle-XID": "x1", "Settle-Mode": "tcc", "Settle-Initiator": "http://old:1",
            "Settle-Initiator-Name": "order",
        ]
        #expect(BranchContext { headers[$0] }?.initiator == "order")
    }

    @Test("a prepared transaction's name fits into PostgreSQL's 199 bytes, whatever the parts")
    func length() {
        let longest = "settle:".utf8.count + 64 + 1 + 32 + 1 + BranchContext.maxInitiatorLength
        #expect(longest <= 199)
    }
}
