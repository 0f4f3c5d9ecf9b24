import SettleRedis

/// The scripts that count the stock of flash products in Redis. Each is atomic there.
///
/// - `flash:stock`, a hash: how many there are to be taken, by product;
/// - `flash:kept`, a hash: what branches have taken that wait for their end, by their names;
/// - `flash:over:<branch>`: it was rolled back, and must not take anything any more;
/// - `flash:seq`: how often any of the scripts has run.
///
/// The two hashes have the epoch under the empty name, so a script knows that it counts what the book means, and that neither
/// of them was lost or evicted alone. Each answers `[seq, word, …]`.
enum FlashScripts {
    static let stock = "flash:stock"
    static let kept = "flash:kept"
    static let sequence = "flash:seq"

    /// Of every script the first three.
    static let keys = [stock, kept, sequence]

    static func over(_ key: String) -> String { "flash:over:\(key)" }

    /// For as long as a request may be under way to Redis, and far longer.
    private static let fence = 3_600_000

    private static let head = """
        if redis.call('HGET', KEYS[1], '') ~= ARGV[1] or redis.call('HGET', KEYS[2], '') ~= ARGV[1] then
            return {0, 'epoch'}
        end
        local seq = redis.call('INCR', KEYS[3])

        """

    /// KEYS: the three, and the branch's fence. ARGV: epoch, branch, then products and how many of each.
    static let take = RedisScript(
        head + """
            if redis.call('EXISTS', KEYS[4]) == 1 then return {seq, 'over'} end
            if redis.call('HEXISTS', KEYS[2], ARGV[2]) == 1 then return {seq, 'taken'} end
            for i = 3, #ARGV, 2 do
                local available = redis.call('HGET', KEYS[1], ARGV[i])
                if not available then return {0, 'epoch'} end
                if tonumber(available) < tonumber(ARGV[i + 1]) then return {seq, 'short', ARGV[i]} end
            end
            local items = {}
            for i = 3, #ARGV, 2 do
                redis.call('HINCRBY', KEYS[1], ARGV[i], '-' .. ARGV[i + 1])
                items[#items + 1] = ARGV[i]
                items[#items + 1] = ARGV[i + 1]
            end
            redis.call('HSET', KEYS[2], ARGV[2], cjson.encode(items))
            return {seq, 'taken'}
            """)

    /// ARGV: epoch, then branches.
    static let commit = RedisScript(
        head + """
            for i = 2, #ARGV do redis.call('HDEL', KEYS[2], ARGV[i]) end
            return {seq, 'done'}
            """)

    /// KEYS: the three, and the branch's fence. ARGV: epoch, branch.
    static let giveBack = RedisScript(
        head + """
            redis.call('SET', KEYS[4], '1', 'PX', '\(fence)')
            local items = redis.call('HGET', KEYS[2], ARGV[2])
            if not items then return {seq, 'done'} end
            items = cjson.decode(items)
            for i = 1, #items, 2 do
                if redis.call('HEXISTS', KEYS[1], items[i]) == 1 then
                    redis.call('HINCRBY', KEYS[1], items[i], items[i + 1])
                end
            end
            redis.call('HDEL', KEYS[2], ARGV[2])
            return {seq, 'done'}
            """)

    /// What came back by the book. KEYS: the three, and the change's own. ARGV: epoch, product, how many.
    static let add = RedisScript(
        head + """
            if not redis.call('SET', KEYS[4], '1', 'NX', 'PX', '\(fence)') then return {seq, 'done'} end
            if redis.call('HEXISTS', KEYS[1], ARGV[2]) == 1 then redis.call('HINCRBY', KEYS[1], ARGV[2], ARGV[3]) end
            return {seq, 'done'}
            """)

    /// Begins an epoch, unless a later one has begun. ARGV: epoch, number of products, products and how many of each, then
    /// branches and what each has taken.
    static let rebuild = RedisScript(
        """
        local before = tonumber(redis.call('HGET', KEYS[1], '') or '0') or 0
        if before >= tonumber(ARGV[1]) then return {0, 'later', tostring(before)} end
        redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
        redis.call('HSET', KEYS[1], '', ARGV[1])
        redis.call('HSET', KEYS[2], '', ARGV[1])
        local rest = 3 + 2 * tonumber(ARGV[2])
        for i = 3, rest - 1, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
        for i = rest, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
        return {redis.call('INCR', KEYS[3]), 'done'}
        """)

    /// Ends the epoch that there is: nothing is taken until the next one.
    static let close = RedisCommand(["DEL", kept])
}
