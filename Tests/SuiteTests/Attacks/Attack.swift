import SettleCore
import Foundation
import SettleTestSupport
import Testing

/// Inputs made at random, from a seed that is said, so that what broke something can be made again.
struct Attack: RandomNumberGenerator {
    /// `SETTLE_ATTACK_SEED`, else another one each time.
    static let seed =
        ProcessInfo.processInfo.environment["SETTLE_ATTACK_SEED"].flatMap { UInt64($0) } ?? .random(in: 0..<1 << 32)

    private var numbers: SeededNumbers

    init(_ number: Int = 0) { numbers = SeededNumbers(seed: Self.seed &+ UInt64(number) &* 0x9E37_79B9_7F4A_7C15) }

    mutating func next() -> UInt64 { numbers.next() }

    mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &self) == 0 }

    mutating func pick<T>(_ choices: [T]) -> T { choices[Int.random(in: 0..<choices.count, using: &self)] }

    /// How many inputs were tried; `scripts/test` adds these lines up.
    static func report(_ count: Int, _ what: String) {
        print("attack: \(count) inputs: \(what) (SETTLE_ATTACK_SEED=\(seed))")
    }
}

extension Attack {
    private static let numbers = [
        "0", "-1", "1.5", "1e400", "-0", "9223372036854775808", "18446744073709551616", "1.0000000000000000001", "NaN",
        "0x10", "٣", "1000001", "true", "null", "\"1\"", "{}", "[]",
    ]
    private static let texts = [
        "", " ", "\\u0000", "\\ud800", "\\udc00\\ud800", "a\\u0000b", "e\\u0301", "\\u202e", "'; DROP TABLE orders; --",
        "../../etc/passwd", "%00", "\\n\\r", String(repeating: "x", count: 70_000), String(repeating: "é", count: 65),
        "$(id)", "{{7*7}}", "\\\\", "\\\"", "😀😀",
    ]

    /// A JSON text with one thing or two in it that nobody expects.
    mutating func json(like text: String) -> [UInt8] {
        var bytes = Array(text.utf8)
        for _ in 0...Int.random(in: 0...1, using: &self) {
            switch Int.random(in: 0..<8, using: &self) {
            case 0: bytes = Array(replacing(text, #/[0-9]+/#, pick(Self.numbers)).utf8)
            case 1: bytes = Array(replacing(text, #/"[A-Za-z]*"/#, "\"" + pick(Self.texts) + "\"").utf8)
            case 2: bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &self)))
            case 3:
                bytes.insert(UInt8.random(in: 0...255, using: &self), at: .random(in: 0...bytes.count, using: &self))
            case 4 where !bytes.isEmpty:
                bytes[Int.random(in: 0..<bytes.count, using: &self)] = .random(in: 0...255, using: &self)
            case 5:
                let depth = pick([10, 65, 5_000])
                bytes = Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
            case 6: bytes = bytes + bytes
            default: bytes = (0..<Int.random(in: 0...200, using: &self)).map { _ in .random(in: 0...255, using: &self) }
            }
        }
        return bytes
    }

    /// One of the places that match, at random, replaced.
    private mutating func replacing(_ text: String, _ pattern: Regex<Substring>, _ new: String) -> String {
        let ranges = text.ranges(of: pattern)
        guard !ranges.isEmpty else { return text }
        return text.replacingCharacters(in: pick(ranges), with: new)
    }
}

/// A client that keeps no rule: bytes go out as they are.
enum Hostile {
    /// The status that `bytes` are answered with; nil when there is none within `patience`, or the connection ends.
    static func send(_ bytes: [UInt8], port: Int, patience: Duration = .milliseconds(300)) -> Int? {
        let socket = Socket.open()
        defer { close(socket) }
        guard Socket.connect(socket, port: port) else { return nil }
        var rest = bytes[...]
        while !rest.isEmpty, Socket.wait(socket, for: POLLOUT, timeout: .seconds(2)) {
            let count = Socket.send(socket, rest)
            if count <= 0 { break }
            rest = rest.dropFirst(count)
        }
        guard Socket.wait(socket, for: POLLIN, timeout: patience), let answer = Socket.receive(socket) else {
            return nil
        }
        let words = String(decoding: answer.prefix(64), as: UTF8.self).split(separator: " ")
        return words.count > 1 && words[0] == "HTTP/1.1" ? Int(words[1]) : nil
    }

    /// Runs `body` for each number below `count` on `threads` threads that may block; what came of each.
    static func each<R: Sendable>(
        _ count: Int, threads: Int = 8, _ body: @escaping @Sendable (Int) -> R
    ) async -> [R] {
        await withTaskGroup(of: [R].self) { group in
            for thread in 0..<threads {
                group.addTask {
                    await withCheckedContinuation { done in
                        DedicatedThread.start(name: "attacker") {
                            done.resume(returning: stride(from: thread, to: count, by: threads).map(body))
                        }
                    }
                }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
    }
}

extension Suite {
    /// Nobody has died, nothing is held, and honest orders settle with books that agree.
    func expectUnharmed(_ pids: [pid_t], orders: Int = 60) async throws {
        for role in Role.allCases { try await awaitReady(role) }
        let attempts = await load(clients: 4, limit: orders).finished()
        try await expectAgreement(attempts)
        if attempts.count(status: 201) != orders { throw NotInTime(attempts.summary) }
        guard running.map(\.pid).sorted() == pids.sorted() else { throw NotInTime("a service has died") }
    }
}
