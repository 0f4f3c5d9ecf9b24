import Testing

@testable import SettleLoadTool

@Suite("Processor time")
struct ProcessStatTests {
    private func line(_ parent: Int, _ times: String, name: String = "postgres") -> String {
        "7 (\(name)) S \(parent) 7 7 0 -1 4194560 1 2 3 4 \(times) 20 0 1 0 12345 1 1"
    }

    @Test("a line of /proc is read, whatever the process is called")
    func reading() throws {
        let stat = try #require(ProcessStat(line(3, "10 5 2 1", name: "a) S 9 (b")))
        #expect(stat.parent == 3 && stat.own == 15 && stat.ended == 3)
    }

    @Test("a text that is none is none", arguments: ["", "7 (x) S 1", "7 x S 1 2 3"])
    func malformed(text: String) { #expect(ProcessStat(text) == nil) }

    @Test("a process has its children's time and theirs, and no stranger's")
    func tree() throws {
        let stats = try [
            1: #require(ProcessStat(line(0, "1 0 0 0"))), 2: #require(ProcessStat(line(1, "2 0 0 4"))),
            3: #require(ProcessStat(line(2, "8 0 0 0"))), 4: #require(ProcessStat(line(0, "100 0 0 0"))),
        ]
        #expect(stats.ticks(of: 1) == 15)
        #expect(stats.ticks(of: 5) == 0)
    }

    @Test("it does not fall when a child ends")
    func ended() throws {
        let before = try [
            1: #require(ProcessStat(line(0, "1 0 0 0"))), 2: #require(ProcessStat(line(1, "2 1 0 4"))),
        ]
        let after = try [1: #require(ProcessStat(line(0, "1 0 3 4")))]
        #expect(before.ticks(of: 1) == after.ticks(of: 1))
    }
}
