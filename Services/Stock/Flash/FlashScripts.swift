import SettleRedis

/// The scripts that count the stock of flash products in Redis. Each is atomic there.
///
/// - `flash:stock`, a hash: how many there are to be taken, by product;
/// - `flash:kept`, a hash: what branches have taken that wait for their end, by their names; under `?`, how many of those may
///   not have taken it: a mark stands before what they asked for;
/// - `flash:over:<branch>`: it was rolled back, and must not take anything any more;
/// - `flash:seq`: how often any of the scripts has run.
///
/// The two hashes have the epoch under the empty name, so a script knows that it counts what the book means, and that neither
/// of them was lost or evicted alone. While the next epoch is made the second one has the name of who makes it instead. Each
/// script answers `[seq, word, …]`.
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

    /// What is kept for a branch, which it is no longer, and how that is made available.
    private static let letGo = """
        local function letGo(branch)
            local items = redis.call('HGET', KEYS[2], branch)
            if not items then return nil end
            redis.call('HDEL', KEYS[2], branch)
            if items:sub(1, 1) ~= '\(unsure)' then return items end
            if redis.call('HINCRBY', KEYS[2], '\(unsure)', -1) == 0 then redis.call('HDEL', KEYS[2], '\(unsure)') end
            return items:sub(2)
        end
        local function putBack(items)
            items = cjson.decode(items)
            for i = 1, #items, 2 do
                if redis.call('HEXISTS', KEYS[1], items[i]) == 1 then
                    redis.call('HINCRBY', KEYS[1], items[i], items[i + 1])
                end
            end
        end

        """

    /// Before what is kept for a branch that was being prepared when the epoch began: it may have taken that in the one
    /// before, or may come yet to take it. Also the field with their number; no branch is called so.
    static let unsure = "?"

    /// KEYS: the three, and the branch's fence. ARGV: epoch, branch, then products and how many of each.
    ///
    /// What the epoch began with for a branch that asks only now is given back first: it counts like any other then. Where
    /// others may still be like that, it is not certain that there is too little.
    static let take = RedisScript(
        head + letGo + """
            if redis.call('EXISTS', KEYS[4]) == 1 then return {seq, 'over'} end
            local kept = redis.call('HGET', KEYS[2], ARGV[2])
            if kept and kept:sub(1, 1) ~= '\(unsure)' then return {seq, 'taken'} end
            if kept then putBack(letGo(ARGV[2])) end
            for i = 3, #ARGV, 2 do
                local available = redis.call('HGET', KEYS[1], ARGV[i])
                if not available then return {0, 'epoch'} end
                if tonumber(available) < tonumber(ARGV[i + 1]) then
                    local unsure = tonumber(redis.call('HGET', KEYS[2], '\(unsure)') or '0')
                    return {seq, unsure > 0 and 'unsure' or 'short', ARGV[i]}
                end
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
        head + letGo + """
            for i = 2, #ARGV do letGo(ARGV[i]) end
            return {seq, 'done'}
            """)

    /// KEYS: the three, and the branch's fence. ARGV: epoch, branch.
    static let giveBack = RedisScript(
        head + letGo + """
            redis.call('SET', KEYS[4], '1', 'PX', '\(fence)')
            local items = letGo(ARGV[2])
            if items then putBack(items) end
            return {seq, 'done'}
            """)

    /// What came back by the book. KEYS: the three, and the change's own. ARGV: epoch, product, how many.
    static let add = RedisScript(
        head + """
            if not redis.call('SET', KEYS[4], '1', 'NX', 'PX', '\(fence)') then return {seq, 'done'} end
            if redis.call('HEXISTS', KEYS[1], ARGV[2]) == 1 then redis.call('HINCRBY', KEYS[1], ARGV[2], ARGV[3]) end
            return {seq, 'done'}
            """)

    /// Ends the epoch that there is, unless it is a later one. ARGV: epoch, and a name for who ended it.
    static let end = RedisScript(
        """
        local before = tonumber(redis.call('HGET', KEYS[1], '') or '0') or 0
        if before > tonumber(ARGV[1]) then return {0, 'later', tostring(before)} end
        redis.call('DEL', KEYS[2])
        redis.call('HSET', KEYS[2], '', ARGV[2])
        return {0, 'done'}
        """)

    /// Begins an epoch, if who begins it was the last to end one, and nothing was lost since: only then does the book as it
    /// was read in between know of all that was taken. ARGV: that name, epoch, number of products, products and how many of
    /// each, then branches and what each has taken, or may have.
    private static let beginning = RedisScript(
        """
        if redis.call('HGET', KEYS[2], '') ~= ARGV[1] then return {0, 'ended'} end
        redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
        redis.call('HSET', KEYS[1], '', ARGV[2])
        redis.call('HSET', KEYS[2], '', ARGV[2])
        local rest = 4 + 2 * tonumber(ARGV[3])
        for i = 4, rest - 1, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
        for i = rest, #ARGV, 2 do
            redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
            if ARGV[i + 1]:sub(1, 1) == '\(unsure)' then redis.call('HINCRBY', KEYS[2], '\(unsure)', 1) end
        end
        return {redis.call('INCR', KEYS[3]), 'done'}
        """)

    static func begin(_ count: FlashBook.Count, by name: String) -> RedisScript.Call {
        beginning(
            keys: keys,
            [name, String(count.epoch.number), String(count.products.count)]
                + count.products.flatMap { [$0.sku, String($0.available)] } + count.kept.flatMap { [$0.key, $0.items] })
    }

    /// Ends the epoch that there is, whichever: nothing is taken until the next one.
    static let close = RedisCommand(["DEL", kept])
}
