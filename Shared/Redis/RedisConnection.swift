import SettleCore
import CSettleHiredis
import Foundation

/// One connection, used by the one thread that made it: not Sendable, so the compiler keeps it there.
///
/// After any error it is of no more use: replies can no longer be told apart.
///
/// `@safe`: the context is private, lives exactly as long as the object, and never leaves it.
@safe
final class RedisConnection {
    // Owned from init to deinit; hiredis frees all that hangs from it in redisFree.
    private let context: UnsafeMutablePointer<redisContext>
    private let commandTimeout: Duration
    private let maxReplyBytes: Int
    private let probeKey: String

    /// Connects, then AUTH and SELECT as the configuration asks. Blocks for at most a few time-outs.
    init(_ configuration: RedisConfiguration) throws(RedisError) {
        let timeout = configuration.connectTimeout.timeval
        guard let context = unsafe redisConnectWithTimeout(configuration.host, Int32(configuration.port), timeout)
        else {
            throw .connectionLost("no memory for a connection")
        }
        unsafe self.context = unsafe context
        commandTimeout = configuration.commandTimeout
        maxReplyBytes = configuration.maxReplyBytes
        probeKey = configuration.probeKey
        guard unsafe context.pointee.err == 0 else { throw .connectionLost(unsafe Self.message(context)) }
        guard unsafe redisSetTimeout(context, commandTimeout.timeval) == REDIS_OK else {
            throw .connectionLost(unsafe Self.message(context))
        }
        // Best effort: without keep-alive the PING of an idle client still finds a dead peer.
        _ = unsafe redisEnableKeepAlive(context)
        try greet(configuration)
    }

    deinit { unsafe redisFree(context) }

    /// Sends all commands, then reads a reply to each, in order.
    func exchange(_ commands: [RedisCommand]) throws(RedisError) -> [RedisReply] {
        for command in commands { try append(command) }
        var replies: [RedisReply] = []
        replies.reserveCapacity(commands.count)
        var room = maxReplyBytes
        for _ in commands { replies.append(try readReply(&room)) }
        return replies
    }

    /// Finds out whether Redis answers and takes writes.
    func probe() throws(RedisError) {
        try require([.ping, .set(probeKey, "1", onlyIfAbsent: false, expiresAfter: .seconds(1))])
    }

    private func require(_ commands: [RedisCommand]) throws(RedisError) {
        for reply in try exchange(commands) {
            if case .error(let text) = reply { throw .connectionLost(text) }
        }
    }

    private func greet(_ configuration: RedisConfiguration) throws(RedisError) {
        var commands: [RedisCommand] = []
        if let password = configuration.password {
            commands.append(RedisCommand(["AUTH"] + (configuration.user.map { [$0] } ?? []) + [password]))
        }
        if configuration.database != 0 { commands.append(RedisCommand(["SELECT", String(configuration.database)])) }
        try require(commands)
        try probe()
    }

    /// Copies the command into hiredis' output buffer; nothing is sent yet.
    private func append(_ command: RedisCommand) throws(RedisError) {
        let lengths = command.arguments.map(\.utf8.count)
        var bytes: [CChar] = []
        bytes.reserveCapacity(lengths.reduce(0, +) + 1)
        for argument in command.arguments { bytes.append(contentsOf: argument.utf8.lazy.map { CChar(bitPattern: $0) }) }
        bytes.append(0)  // so that the buffer has an address even when every argument is empty
        // hiredis copies from the pointers before it returns; they live as long as the buffer they point into.
        let status: Int32? = unsafe bytes.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return nil }
            var offset = 0
            var pointers: [UnsafePointer<CChar>?] = unsafe lengths.map { length in
                defer { offset += length }
                return unsafe base + offset
            }
            return unsafe redisAppendCommandArgv(context, Int32(lengths.count), &pointers, lengths)
        }
        guard status == REDIS_OK else { throw .connectionLost("no memory for a command") }
    }

    /// What `redisGetReply` does, but for `room`: of as many bytes as it reads, which it takes away from it.
    private func readReply(_ room: inout Int) throws(RedisError) -> RedisReply {
        var raw: UnsafeMutableRawPointer?
        try attempt { unsafe redisGetReplyFromReader(context, &raw) }
        if unsafe raw == nil { try flush() }
        while true {
            if let raw = unsafe raw {
                defer { unsafe freeReplyObject(raw) }
                return unsafe RedisReply(raw.assumingMemoryBound(to: redisReply.self))
            }
            // Before reading on: what is read belongs to this reply, or comes after it.
            guard room > 0 else { throw .connectionLost("more than \(maxReplyBytes) bytes of replies") }
            let buffered = unsafe context.pointee.reader.pointee.len
            try attempt { unsafe redisBufferRead(context) }
            room -= Int(unsafe context.pointee.reader.pointee.len) - Int(buffered)
            try attempt { unsafe redisGetReplyFromReader(context, &raw) }
        }
    }

    private func flush() throws(RedisError) {
        var isDone: Int32 = 0
        while isDone == 0 { try attempt { unsafe redisBufferWrite(context, &isDone) } }
    }

    private func attempt(_ call: () -> Int32) throws(RedisError) {
        let start = ContinuousClock.now
        guard call() != REDIS_OK else { return }
        // The library tells a time-out only by errno; the clock says the same without depending on it.
        let isTimeout = unsafe context.pointee.err == REDIS_ERR_IO && start.duration(to: .now) >= commandTimeout
        throw isTimeout ? .timeout : .connectionLost(unsafe Self.message(context))
    }

    private static func message(_ context: UnsafeMutablePointer<redisContext>) -> String {
        unsafe withUnsafeBytes(of: context.pointee.errstr) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}

extension RedisReply {
    /// Copies what hiredis owns; `reply` and everything below it is valid for the length of this call.
    fileprivate init(_ reply: UnsafePointer<redisReply>) {
        let value = unsafe reply.pointee
        let text = unsafe UnsafeRawBufferPointer(start: value.str, count: value.str == nil ? 0 : value.len)
        switch unsafe value.type {
        case REDIS_REPLY_STATUS: self = .status(unsafe String(decoding: text, as: UTF8.self))
        case REDIS_REPLY_INTEGER: self = .integer(unsafe value.integer)
        case REDIS_REPLY_STRING: self = .bytes(unsafe Array(text))
        case REDIS_REPLY_NIL: self = .null
        case REDIS_REPLY_ARRAY:
            let elements = unsafe UnsafeBufferPointer(start: value.element, count: value.elements)
            self = .array(unsafe elements.map { unsafe $0.map { unsafe RedisReply($0) } ?? .null })
        case REDIS_REPLY_ERROR: self = .error(unsafe String(decoding: text, as: UTF8.self))
        case let type: self = .error("unknown reply type \(type)")
        }
    }
}
