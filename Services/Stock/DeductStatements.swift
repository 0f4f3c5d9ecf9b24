// The statements of `Deduct`: `$1` products, `$2` how many of each. What belongs to a product gets to its row by a map, as
// in `DeductStockApplier`.
extension Deduct {
    private static let quantity = "((SELECT map FROM line) -> p.sku)::bigint"

    /// Of one order, so no product twice.
    static let takePlain = take("available = p.available - \(quantity)")
    static let takeReserved = take("available = p.available - \(quantity), reserved = p.reserved + \(quantity)")

    /// Of several orders at once: first what is there, then what was taken of each product.
    static let shelf =
        "SELECT sku, available, unit_price FROM product WHERE sku = ANY ($1::text[]) ORDER BY sku FOR NO KEY UPDATE"
    static let takeTogether = changeLocked("available = p.available - \(quantity)")
    static let reserveTogether = changeLocked(
        "available = p.available - \(quantity), reserved = p.reserved + \(quantity)")

    /// Of any number of orders.
    static let confirmReserved = change("reserved = p.reserved - \(quantity)")
    static let cancelReserved = change("available = p.available + \(quantity), reserved = p.reserved - \(quantity)")
    static let giveBack = change("available = p.available + \(quantity)")

    private static func take(_ assignments: String) -> String {
        """
        WITH line AS (
            SELECT jsonb_object_agg(sku, quantity) AS map FROM unnest($1::text[], $2::bigint[]) AS l (sku, quantity)),
        held AS (SELECT sku FROM product WHERE sku = ANY ($1::text[]) ORDER BY sku FOR NO KEY UPDATE)
        UPDATE product p SET \(assignments)
        WHERE p.sku = ANY (ARRAY(SELECT sku FROM held)) AND p.available >= \(quantity)
        RETURNING p.sku, p.unit_price
        """
    }

    private static func changeLocked(_ assignments: String) -> String {
        """
        WITH line AS (
            SELECT jsonb_object_agg(sku, quantity) AS map FROM unnest($1::text[], $2::bigint[]) AS l (sku, quantity))
        UPDATE product p SET \(assignments) WHERE p.sku = ANY ($1::text[])
        """
    }

    private static func change(_ assignments: String) -> String {
        """
        WITH line AS (
            SELECT jsonb_object_agg(sku, quantity) AS map
            FROM (SELECT sku, sum(quantity)::bigint AS quantity
                  FROM unnest($1::text[], $2::bigint[]) AS l (sku, quantity) GROUP BY sku) l),
        held AS (SELECT sku FROM product WHERE sku = ANY ($1::text[]) ORDER BY sku FOR NO KEY UPDATE)
        UPDATE product p SET \(assignments) WHERE p.sku = ANY (ARRAY(SELECT sku FROM held))
        """
    }
}
