extension RedisReply {
    /// The codes of errors that are not about the one command: Redis, or this user of it, cannot be used for now.
    ///
    /// From Redis' own sources (server.c, `createSharedObjects`; cluster.c; acl.c).
    private static let faults: Set<Substring> = [
        "READONLY", "MASTERDOWN", "LOADING", "BUSY", "MISCONF", "OOM", "NOREPLICAS",
        "NOAUTH", "WRONGPASS", "NOPERM", "DENIED",
        "CLUSTERDOWN", "MOVED", "ASK", "TRYAGAIN",
    ]

    /// The error's text when it says that Redis cannot be used; nil for a reply, and for the fault of a command.
    var fault: String? {
        guard case .error(let text) = self, Self.faults.contains(text.prefix { $0 != " " }) else { return nil }
        return text
    }
}
