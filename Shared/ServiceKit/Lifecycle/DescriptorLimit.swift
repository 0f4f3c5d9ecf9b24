import Foundation

/// How many files and sockets the process may have open at once (`RLIMIT_NOFILE`).
enum DescriptorLimit {
    /// Raises what holds to what is allowed: the usual 1,024 is a default for programs that use `select`, which none of
    /// our libraries does.
    ///
    /// - Returns: what holds now.
    @discardableResult
    static func raise() -> Int {
        guard var limit = current() else { return assumed }
        if limit.rlim_cur < limit.rlim_max {
            let before = limit.rlim_cur
            limit.rlim_cur = limit.rlim_max
            // The call reads the value and keeps no pointer to it.
            if unsafe setrlimit(resource, &limit) != 0 { limit.rlim_cur = before }
        }
        return Int(clamping: limit.rlim_cur)
    }

    /// The least that POSIX systems give; only where the limit cannot be read.
    private static let assumed = 256

    #if canImport(Darwin)
        private static let resource = RLIMIT_NOFILE
    #else
        private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #endif

    private static func current() -> rlimit? {
        var limit = rlimit()
        // The call fills the value in and keeps no pointer to it.
        return unsafe getrlimit(resource, &limit) == 0 ? limit : nil
    }
}
