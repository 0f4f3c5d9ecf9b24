// The statements of `Deduct`: `$1` products, `$2` how many of each; those that are booked: `$3` orders, `$4` the items of each.
// What belongs to a product gets to its row by a map, as in `DeductStockApplier`.
extension Deduct {
    private static let quantity = "((SELECT map FROM line) -> p.sku)::bigint"

    /// Of one order, so no product twice.
    static let takePlain = take("available = p.available - \(quantity)", booking: taking + " WHERE \(isComplete)")
    /// Where a rollback of mode `at` finds it.
    static let takeAT = take(
        "available = p.available - \(quantity)",
        booking: """
            INSERT INTO stock_taken_at (order_id, items) SELECT * FROM unnest($3::text[], $4::jsonb[]) WHERE \(isComplete)
            """)
    static let takeReserved = take("available = p.available - \(quantity), reserved = p.reserved + \(quantity)")

    /// Of several orders at once: first what is there, then what was taken of each product.
    static let shelf =
        """
        SELECT sku, available, unit_price FROM product WHERE sku = ANY ($1::text[]) AND NOT flash
        ORDER BY sku FOR NO KEY UPDATE
        """
    static let takeTogether = changeLocked("available = p.available - \(quantity)", booking: taking)
    static let reserveTogether = changeLocked(
        "available = p.available - \(quantity), reserved = p.reserved + \(quantity)")

    /// Of any number of orders.
    static let confirmReserved = change("reserved = p.reserved - \(quantity)", booking: taking)
    static let cancelReserved = change("available = p.available + \(quantity), reserved = p.reserved - \(quantity)")
    static let giveBack = change("available = p.available + \(quantity)", booking: book(sign: -1))

    /// What was taken in Redis comes into the book.
    static let bookTaken = change("available = p.available - \(quantity)", booking: taking)

    /// The ledger is written by the same statement: it costs no round trip.
    private static let taking = book(sign: 1)
    private static func book(sign: Int) -> String {
        """
        INSERT INTO stock_taken (order_id, sign, items)
        SELECT order_id, \(sign), items FROM unnest($3::text[], $4::jsonb[]) AS booked (order_id, items)
        """
    }
    private static let isComplete = "(SELECT count(*) FROM taken) = cardinality($1::text[])"
    private static func with(_ booking: String?) -> String { booking.map { ", booked AS (\($0))" } ?? "" }

    private static func take(_ assignments: String, booking: String? = nil) -> String {
        """
        WITH line AS (
            SELECT jsonb_object_agg(sku, quantity) AS map FROM unnest($1::text[], $2::bigint[]) AS l (sku, quantity)),
        held AS (SELECT sku FROM product WHERE sku = ANY ($1::text[]) ORDER BY sku FOR NO KEY UPDATE),
        taken AS (
            UPDATE product p SET \(assignments)
            WHERE p.sku = ANY (ARRAY(SELECT sku FROM held)) AND p.available >= \(quantity) AND NOT p.flash
            RETURNING p.sku, p.unit_price)\(with(booking))
        SELECT sku, unit_price FROM taken
        """
    }

    private static func changeLocked(_ assignments: String, booking: String? = nil) -> String {
        """
        WITH line AS (
            SELECT jsonb_object_agg(sku, quantity) AS map
            FROM unnest($1::text[], $2::bigint[]) AS l (sku, quantity))\(with(booking))
        UPDATE product p SET \(assignments) WHERE p.sku = ANY ($1::text[])
        """
    }

    private static func change(_ assignments: String, booking: String? = nil) -> String {
        """
        WITH line AS (
            SELECT jsonb_object_agg(sku, quantity) AS map
            FROM (SELECT sku, sum(quantity)::bigint AS quantity
                  FROM unnest($1::text[], $2::bigint[]) AS l (sku, quantity) GROUP BY sku) l),
        held AS (SELECT sku FROM product WHERE sku = ANY ($1::text[]) ORDER BY sku FOR NO KEY UPDATE)\(with(booking))
        UPDATE product p SET \(assignments) WHERE p.sku = ANY (ARRAY(SELECT sku FROM held))
        """
    }
}
