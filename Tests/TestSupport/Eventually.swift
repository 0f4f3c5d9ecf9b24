/// Something that a test waited for did not come.
package struct NotInTime: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// Looks for `condition` now and then, for at most `limit`; throws when it does not come.
///
/// - Parameters:
///   - what: what is waited for, for the reader of a failure.
///   - otherwise: what else that reader should know.
package func eventually(
    _ what: String = "", within limit: Duration = .seconds(30), every interval: Duration = .milliseconds(10),
    fileID: String = #fileID, line: Int = #line, otherwise: () async -> String = { "" },
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < deadline else {
            throw NotInTime("\(fileID):\(line): not within \(limit): \(what)\n\(await otherwise())")
        }
        try await Task.sleep(for: interval)
    }
}
