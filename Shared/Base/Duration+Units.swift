#if canImport(Glibc)
    package import Glibc
#elseif canImport(Musl)
    package import Musl
#else
    package import Darwin
#endif

extension Duration {
    /// Whole milliseconds, rounded up: a limit shorter than one does not become none, and a wait does not end a moment
    /// too early, to begin again.
    package var milliseconds: Int { whole(of: 1_000) }

    /// Whole seconds, rounded up.
    package var seconds: Int { whole(of: 1) }

    /// For C: whole microseconds, rounded up, and at least one, for zero means "for ever" to a socket.
    package var timeval: timeval {
        let microseconds = max(1, whole(of: 1_000_000))
        return .init(tv_sec: microseconds / 1_000_000, tv_usec: numericCast(microseconds % 1_000_000))
    }

    /// Rounded up; what is longer than a century counts as a century.
    private func whole(of unitsInSecond: Int64) -> Int {
        let longest = Duration.seconds(100 * 366 * 86400)
        let (seconds, attoseconds) = Swift.min(Swift.max(self, .zero - longest), longest).components
        let attosecondsInUnit = 1_000_000_000_000_000_000 / unitsInSecond
        let part = attoseconds / attosecondsInUnit
        return Int(seconds * unitsInSecond + part + (attoseconds > part * attosecondsInUnit ? 1 : 0))
    }
}
