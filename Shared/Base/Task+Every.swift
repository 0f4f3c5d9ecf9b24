extension Task where Success == Never, Failure == Never {
    /// Does `body` at once, then again and again with a pause of `interval` after each time, until the task is cancelled.
    /// What is under way then is finished, unless it looks at the cancellation itself.
    ///
    /// - Parameter first: false: not at once, but after a first pause.
    package static func every(_ interval: Duration, first: Bool = true, _ body: () async -> Void) async {
        // Only cancellation ends a sleep early, and then the loop ends.
        if !first { try? await Task.sleep(for: interval) }
        while !Task.isCancelled {
            await body()
            try? await Task.sleep(for: interval)
        }
    }
}
