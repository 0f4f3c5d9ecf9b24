extension Task where Success == Never, Failure == Never {
    /// Does `body` at once, then again and again with a pause of `interval` after each time, until the task is cancelled.
    /// What is under way then is finished, unless it looks at the cancellation itself.
    package static func every(_ interval: Duration, _ body: () async -> Void) async {
        while !Task.isCancelled {
            await body()
            // Only cancellation ends the sleep early, and then the loop ends.
            try? await Task.sleep(for: interval)
        }
    }
}
