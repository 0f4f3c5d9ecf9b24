import Foundation

/// The processes that an order costs time in, by name.
struct Processes: Sendable {
    static let services = ["order", "stock", "user-points", "message-centre"]
    /// The load itself: this process.
    static let load = "load"
    /// All else that ran on the machine, or that a hypervisor took away.
    static let others = "others"

    private(set) var ids: [String: [Int]]

    /// - Parameter ids: the first process of each part of the suite, and of each replica; what it started counts as its own.
    init(_ ids: [String: [Int]]) {
        self.ids = ids.merging([Self.load: [Int(getpid())]]) { first, _ in first }
    }

    /// Another process of `name`, or one in the place of all that it had.
    mutating func add(_ id: Int, to name: String, insteadOfAll: Bool = false) {
        ids[name] = (insteadOfAll ? [] : ids[name] ?? []) + [id]
    }

    /// Seconds of processor time so far.
    func times() throws -> [String: Double] {
        let tick = 1 / Double(sysconf(Int32(_SC_CLK_TCK)))
        let stats = try Self.stats()
        var times = ids.mapValues { Double($0.reduce(0) { $0 + stats.ticks(of: $1) }) * tick }
        times[Self.others] = Double(try Self.machine()) * tick - times.values.reduce(0, +)
        return times
    }

    /// The most memory that each has held since `resetPeaks`, in bytes: of several the one that held most.
    func peaks() -> [String: Int] {
        ids.compactMapValues { $0.compactMap(Self.peak).max() }
    }

    private static func peak(of id: Int) -> Int? {
        let status = try? String(contentsOfFile: "/proc/\(id)/status", encoding: .utf8)  // gone: it has no peak
        let line = status?.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return line?.split(separator: " ").dropFirst().first.flatMap { Int($0.trimmingCharacters(in: .whitespaces)) }
            .map { $0 * 1024 }
    }

    /// Peaks count from now on. Where this is not allowed they go on counting from the start of the process.
    func resetPeaks() {
        for id in ids.values.joined() {
            try? "5".write(toFile: "/proc/\(id)/clear_refs", atomically: false, encoding: .utf8)
        }
    }

    /// Stops or goes on with the services, whose time is not to be in what is measured meanwhile.
    func signal(_ signal: Int32, _ names: [String]) {
        for name in names { for id in ids[name] ?? [] { kill(pid_t(id), signal) } }
    }

    private static func stats() throws -> [Int: ProcessStat] {
        let ids = try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int($0) }
        return Dictionary(
            ids.compactMap { id in
                // One that has just ended is nobody's any more.
                (try? String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8)).flatMap(ProcessStat.init).map {
                    (id, $0)
                }
            }, uniquingKeysWith: { first, _ in first })
    }

    /// Ticks in which any processor of the machine did something: all columns but idle, iowait, and guests, who are
    /// counted in the first two already.
    private static func machine() throws -> Int {
        let text = try String(contentsOfFile: "/proc/stat", encoding: .utf8)
        let columns = text.prefix { $0 != "\n" }.split(separator: " ").dropFirst().prefix(8).map { Int($0) ?? 0 }
        return columns.enumerated().reduce(0) { [3, 4].contains($1.offset) ? $0 : $0 + $1.element }
    }
}
