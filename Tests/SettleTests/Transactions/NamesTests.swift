import Foundation
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

    @Test("a branch is named by the path of its calls, which is not too deep")
    func branch() {
        for text in [
            "", ".", "0", "01", "1.", ".1", "1..2", "1.0", "a", "1.a", "-1", "1 ", "1.1.1.1.1.1.1.1.1",
            String(repeating: "1", count: 65),
        ] {
            #expect(BranchID(rawValue: text) == nil, "\(text)")
        }
        for text in ["1", "12", "1.2", "10.20.30", "1.1.1.1.1.1.1.1", String(repeating: "1", count: 64)] {
            #expect(BranchID(rawValue: text)?.rawValue == text)
        }
        #expect(BranchID.first.child(3)?.rawValue == "1.3")
        #expect(BranchID(rawValue: "1.1.1.1.1.1.1.1")?.child(1) == nil)
        let headers = ["Settle-XID": "x1", "Settle-Mode": "tcc", "Settle-Initiator": "http://order:8080"]
        #expect(BranchContext { headers[$0] }?.branch == .first)
        #expect(BranchContext { $0 == "Settle-Branch" ? "2.1" : headers[$0] }?.branch.rawValue == "2.1")
        #expect(BranchContext { $0 == "Settle-Branch" ? "2." : headers[$0] } == nil)
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

    @Test("the deadline travels as milliseconds left; it may be missing, but not be nonsense, and is bounded")
    func deadline() throws {
        func context(_ text: String?) -> BranchContext? {
            BranchContext {
                ["Settle-XID": "x1", "Settle-Mode": "at", "Settle-Initiator": "o", "Settle-Deadline": text][$0] ?? nil
            }
        }
        #expect(try #require(context(nil)).timeLeft(standard: .seconds(7)) == .seconds(7))
        #expect(try #require(context("0")).timeLeft(standard: .seconds(7)) == .zero)
        let left = try #require(context("9000")).timeLeft(standard: .seconds(7))
        #expect(left > .seconds(8) && left <= .seconds(9))
        #expect(try #require(context("\(Int.max)")).timeLeft(standard: .zero) <= .seconds(24 * 3600))
        for text in ["", "-1", "1.5", "10s"] { #expect(context(text) == nil, "\(text)") }
    }

    @Test("an XID is a UUID of version 7 and says which process made it, and when")
    func process() throws {
        for process in [0, 1, 0xabc, UInt16.max] {
            let xid = XID(process: process)
            #expect(xid.process == process)
            #expect(try #require(UUID(uuidString: xid.rawValue)).uuidString.lowercased() == xid.rawValue)
            #expect(abs(try #require(xid.createdAt).timeIntervalSinceNow) < 1)
        }
        #expect(XID(rawValue: "stranger")?.process == nil)
        #expect(XID(rawValue: UUID().uuidString)?.process == nil, "of version 4")
    }

    @Test("a prepared transaction's name fits into PostgreSQL's 199 bytes, whatever the parts")
    func length() {
        let longest = "settle:".utf8.count + 64 + 1 + 32 + 1 + 3 + 1 + BranchContext.maxInitiatorLength
        #expect(longest <= 199)
    }
}
