extension Duration {
    /// Whole milliseconds, rounded up, so that a limit shorter than one does not become "no limit".
    var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    }

    /// Whole seconds, rounded up.
    var wholeSeconds: Int64 {
        (wholeMilliseconds + 999) / 1_000
    }

    /// Nanoseconds, for timers.
    var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }
}
