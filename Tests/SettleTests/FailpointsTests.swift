import Foundation
import Testing

@testable import Settle

@Suite("Failpoints")
struct FailpointsTests {
    @Test("a specification names points, actions and visits")
    func parse() throws {
        let plans = try Failpoints.parse("a.b=kill@3, c=throw,d=throw@1")
        #expect(plans.count == 3)
        #expect(plans["a.b"]?.action == .kill)
        #expect(plans["a.b"]?.visit == 3)
        #expect(plans["c"]?.action == .fail)
        #expect(plans["c"]?.visit == nil)
        #expect(plans["d"]?.visit == 1)
        #expect(try Failpoints.parse("").isEmpty)
    }

    @Test(
        "what cannot be read is refused, and the error names it",
        arguments: [
            "inbox.committed", "a=explode", "a=kill@", "a=kill@0", "a=kill@-1", "a=kill@x", "a=throw,b",
            "a=throw,a=kill",
        ])
    func unreadable(specification: String) throws {
        let error = #expect(throws: Failpoints.Unreadable.self) { try Failpoints(specification) }
        #expect(error?.description.contains("'") == true)
    }

    @Test("a point that nothing reaches is refused, and the error names those that there are")
    func unknown() throws {
        _ = try Failpoints("inbox.committed=kill", points: Failpoints.points)
        let error = #expect(throws: Failpoints.Unreadable.self) {
            try Failpoints("inbox.committed=kill,inbox.commited=kill", points: Failpoints.points)
        }
        #expect(error?.description.contains("'inbox.commited'") == true)
        #expect(error?.description.contains("inbox.committed") == true)
        #expect(error?.description.contains("\n") == false)
    }

    @Test("the points that are known are those that the sources reach")
    func points() throws {
        #expect(try reached(below: "Shared") == Failpoints.points)
        for service in try folders(below: "Services") {
            let command = try text("Services/\(service)/\(service)Command.swift")
            for point in try reached(below: "Services/\(service)") {
                #expect(command.contains("\"\(point)\""), "\(service) reaches \(point) and does not name it")
            }
        }
    }

    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private func folders(below path: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: Self.root.appending(path: path).path)
    }

    private func text(_ path: String) throws -> String {
        try String(contentsOf: Self.root.appending(path: path), encoding: .utf8)
    }

    /// The string literals in every call of `failpoints.reach…`.
    private func reached(below path: String) throws -> Set<String> {
        let files = try FileManager.default.subpathsOfDirectory(atPath: Self.root.appending(path: path).path)
        var points: Set<String> = []
        for file in files where file.hasSuffix(".swift") {
            for call in try text("\(path)/\(file)").matches(of: /failpoints\.reach\w*\(([^)]*)\)/) {
                points.formUnion(call.1.matches(of: /"([^"]+)"/).map { String($0.1) })
            }
        }
        return points
    }

    @Test("a fault with a visit happens at that visit only")
    func visit() throws {
        let failpoints = try Failpoints("here=throw@2")
        try failpoints.reach("elsewhere")
        try failpoints.reach("here")
        #expect(throws: Failpoints.Injected.self) { try failpoints.reach("here") }
        try failpoints.reach("here")
    }

    @Test("a fault that is planned while the process runs is forgotten after its time; only where that is wanted")
    func planned() async throws {
        let failpoints = try Failpoints("here=throw", switchable: ["here", "there"])
        #expect(throws: Failpoints.Injected.self) { try failpoints.reach("here") }
        try failpoints.plan("there=throw", for: .milliseconds(50))
        try failpoints.reach("here")
        #expect(throws: Failpoints.Injected.self) { try failpoints.reach("there") }
        let end = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < end, (try? failpoints.reach("there")) == nil { await Task.yield() }
        try failpoints.reach("there")
        #expect(throws: Failpoints.Unreadable.self) { try failpoints.plan("nowhere=throw", for: .seconds(1)) }
        #expect(throws: Failpoints.Unreadable.self) { try Failpoints.none.plan("here=throw", for: .seconds(1)) }
    }

    @Test("a fault without a visit happens always; without a fault nothing does")
    func always() throws {
        let failpoints = try Failpoints("here=throw")
        for _ in 0..<3 { #expect(throws: Failpoints.Injected.self) { try failpoints.reach("here") } }
        for _ in 0..<3 { try Failpoints.none.reach("here") }
    }
}
