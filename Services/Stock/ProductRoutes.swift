import Hummingbird
import Settle
import SettlePostgres
import SettleServiceKit
import ShopContract

/// `/products`: what there is, and for how much.
struct ProductRoutes {
    struct Product: Codable {
        let sku: String
        let title: String
        let unitPrice: Int64
        let available: Int64
        let reserved: Int64
        /// Its stock is counted in Redis, and `available` follows as orders commit; nil: it is not.
        let flash: Bool?

        static let columns = "sku, title, unit_price, available, reserved, flash"

        init(row: PostgresRow) throws {
            sku = try row.decode(String.self, at: 0)
            title = try row.decode(String.self, at: 1)
            unitPrice = try row.decode(Int64.self, at: 2)
            available = try row.decode(Int64.self, at: 3)
            reserved = try row.decode(Int64.self, at: 4)
            flash = try row.decode(Bool.self, at: 5) ? true : nil
        }
    }

    struct Products: Encodable {
        let products: [Product]
        let next: String?
    }

    struct NewProduct: Decodable {
        let title: String
        let unitPrice: Int64
        let available: Int64
        /// Left out: as it is; false for a new one.
        let flash: Bool?

        func check() throws {
            try Check.length("title", title, 1...200)
            try Check.range("unitPrice", unitPrice, in: 0...1_000_000_000)
            try Check.range("available", available, in: 0...1_000_000_000_000)
        }
    }

    static let countIsAway = Problem(
        .serviceUnavailable, code: FlashProblem.unavailable, title: "The stock is unavailable",
        detail: "what counts the stock of flash products is away, or at work; nothing was changed", retryAfter: 1)

    let database: PostgresDatabase
    let keeper: FlashKeeper

    func add(to open: ServiceRoutes, guarded: ServiceRoutes) {
        open.get("products") { request, _ in
            let limit = try request.queryInteger("limit", in: 1...1000, default: 1000)
            return try Response.json(try await list(after: try request.queryString("after"), limit: limit))
        }
        open.get("products/:sku") { _, context in
            try Response.json(try await find(try context.pathParameter("sku")))
        }
        guarded.put("products/:sku") { request, context in
            let sku = try context.pathParameter("sku")
            try Check.length("sku", sku, 1...64)
            let body = try await requireJSON(NewProduct.self, from: request, context: context)
            try body.check()
            let isNew = try await put(sku, body)
            return try Response.json(try await find(sku), status: isNew ? .created : .ok)
        }
        guarded.post("quotes") { request, context in
            let body = try await requireJSON(QuoteRequest.self, from: request, context: context)
            try Check.count("skus", body.skus, 0...QuoteRequest.limit)
            return try Response.json(QuoteAnswer(quotes: try await quotes(body.skus)))
        }
    }

    private func list(after sku: String?, limit: Int) async throws -> Products {
        let rows = try await database.query(
            """
            SELECT \(Product.columns) FROM product WHERE sku > coalesce($1, '') ORDER BY sku LIMIT $2
            """, [sku.map { .text($0) } ?? .null, .int(limit)])
        let products = try rows.map(Product.init(row:))
        return Products(products: products, next: products.count == limit ? products.last?.sku : nil)
    }

    private func find(_ sku: String) async throws -> Product {
        let rows = try await database.query(
            "SELECT \(Product.columns) FROM product WHERE sku = $1", [.text(sku)])
        guard let row = rows.first else { throw Problem.notFound("there is no such product") }
        return try Product(row: row)
    }

    /// False when it existed. What is reserved stays so.
    private func put(_ sku: String, _ product: NewProduct) async throws -> Bool {
        let wasFlash =
            try await database.query("SELECT flash FROM product WHERE sku = $1", [.text(sku)])
            .first?.decode(Bool.self, at: 0) ?? false
        let isFlash = product.flash ?? wasFlash
        guard wasFlash || isFlash else {
            return try await database.transaction {
                try Self.write(sku, product, wasFlash: false, isFlash: false, in: $0)
            }
        }
        do {
            return try await keeper.changing { transaction in
                try Self.write(sku, product, wasFlash: wasFlash, isFlash: isFlash, in: transaction)
            }
        } catch is FlashKeeper.Unavailable {
            throw Self.countIsAway
        }
    }

    private static func write(
        _ sku: String, _ product: NewProduct, wasFlash: Bool, isFlash: Bool,
        in transaction: borrowing PostgresTransaction
    ) throws -> Bool {
        // First of all it is there: who has made it at the same time is waited for, and then seen.
        let made = transaction.add(Self.make, [.text(sku), .text(product.title), .int64(product.unitPrice)])
        let before = try transaction.query(Self.before, [.text(sku)])[0]
        guard try before.decode(Bool.self, at: 0) == wasFlash else { throw BranchError.locked }
        if wasFlash != isFlash {
            // What takes it in another way would be counted wrongly, at its end.
            guard try transaction.query(Self.isTaken, [.text(sku)]).isEmpty else { throw BranchError.locked }
            transaction.add("UPDATE product SET flash = $2 WHERE sku = $1", [.text(sku), .bool(isFlash)])
        }
        if isFlash {
            let taken = try transaction.query(FlashBook.takenOf, [.text(sku)])[0].decode(Int64.self, at: 0)
            guard taken <= product.available else { throw BranchError.locked }
        }
        transaction.add(
            Self.change,
            [.text(sku), .text(product.title), .int64(product.unitPrice), .int64(product.available)])
        return try !transaction.rows(of: made).isEmpty
    }

    static let before = "SELECT flash FROM product WHERE sku = $1 FOR NO KEY UPDATE"

    /// Whether a branch that waits for its end has taken of the product, in any mode.
    static let isTaken = """
        SELECT FROM settle.branch b
        WHERE b.state = 'undecided' AND b.action = '\(ShopActions.deduct)'
            AND b.request::jsonb -> 'items' @> jsonb_build_array(jsonb_build_object('sku', $1::text)) LIMIT 1
        """

    static let make = """
        INSERT INTO product (sku, title, unit_price, available) VALUES ($1, $2, $3, 0) ON CONFLICT DO NOTHING RETURNING sku
        """

    /// Writes what it adds, or takes away, into the ledger.
    static let change = """
        WITH before AS (SELECT available FROM product WHERE sku = $1 FOR NO KEY UPDATE),
        changed AS (
            UPDATE product SET title = $2, unit_price = $3, available = $4::bigint
            WHERE sku = $1 AND (SELECT true FROM before))
        INSERT INTO product_change (sku, available, why)
        SELECT $1, $4::bigint - available, 'put' FROM before WHERE available <> $4::bigint
        """

    private func quotes(_ skus: [String]) async throws -> [Quote] {
        let rows = try await database.query(
            "SELECT sku, unit_price, flash FROM product WHERE sku = ANY($1::text[])", [.texts(skus)])
        return try rows.map { row in
            let isFlash = try row.decode(Bool.self, at: 2)
            return Quote(
                sku: try row.decode(String.self, at: 0), unitPrice: try row.decode(Int64.self, at: 1),
                flash: isFlash ? true : nil)
        }
    }
}
