import ArgumentParser
import SettleTestSupport

/// The checks of one run, a line each.
struct Report {
    private var failed = 0

    mutating func expect(_ isTrue: Bool, _ what: String, otherwise seen: @autoclosure () -> String) {
        if isTrue {
            print("ok   \(what)")
        } else {
            failed += 1
            print("FAIL \(what): \(seen())")
        }
    }

    /// The same for something that must not throw.
    mutating func expect(_ what: String, _ body: () async throws -> Void) async {
        do {
            try await body()
            expect(true, what, otherwise: "")
        } catch {
            expect(false, what, otherwise: "\(error)")
        }
    }

    /// The same for something that comes in the end.
    ///
    /// - Parameter wrong: what is still wrong, nil when nothing is; what it throws is wrong, too.
    mutating func expect(
        _ what: String, within limit: Duration, wrong: () async throws -> String?
    ) async {
        var seen: String?
        await expect(what) {
            try await eventually(within: limit, every: .milliseconds(100), otherwise: { seen ?? "" }) {
                do { seen = try await wrong() } catch { seen = "\(error)" }
                return seen == nil
            }
        }
    }

    /// Ends with code 1 after a failure.
    func end() throws {
        if failed > 0 { throw ExitCode.failure }
    }
}
