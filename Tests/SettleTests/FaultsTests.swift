import Testing

@testable import Settle

@Suite("Faults")
struct FaultsTests {
    @Test("a specification names points, actions and visits")
    func parse() throws {
        let plans = try Faults.parse("a.b=kill@3, c=throw,d=throw@1")
        #expect(plans.count == 3)
        #expect(plans["a.b"]?.action == .kill)
        #expect(plans["a.b"]?.visit == 3)
        #expect(plans["c"]?.action == .fail)
        #expect(plans["c"]?.visit == nil)
        #expect(plans["d"]?.visit == 1)
        #expect(try Faults.parse("").isEmpty)
    }

    @Test(
        "what cannot be read is refused, and the error names it",
        arguments: ["inbox.committed", "a=explode", "a=kill@", "a=kill@0", "a=kill@-1", "a=kill@x", "a=throw,b"])
    func unreadable(specification: String) throws {
        let error = #expect(throws: Faults.Unreadable.self) { try Faults(specification) }
        #expect(error?.description.contains("'") == true)
    }

    @Test("a fault with a visit happens at that visit only")
    func visit() throws {
        let faults = try Faults("here=throw@2")
        try faults.reach("elsewhere")
        try faults.reach("here")
        #expect(throws: Faults.Injected.self) { try faults.reach("here") }
        try faults.reach("here")
    }

    @Test("a fault without a visit happens always; without a fault nothing does")
    func always() throws {
        let faults = try Faults("here=throw")
        for _ in 0..<3 { #expect(throws: Faults.Injected.self) { try faults.reach("here") } }
        for _ in 0..<3 { try Faults.none.reach("here") }
    }
}
