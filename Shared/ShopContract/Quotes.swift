/// What order asks stock at `POST /quotes`: the prices of these products.
public struct QuoteRequest: Codable, Sendable {
    /// How many may be asked about at once: those of 64 orders of 100 items.
    public static let limit = 6_400

    /// Which products; to ``limit``.
    public let skus: [String]

    /// A question for the prices of `skus`.
    public init(skus: [String]) {
        self.skus = skus
    }
}

/// What stock answers: a quote for each product that there is.
public struct QuoteAnswer: Codable, Sendable {
    /// In no order.
    public let quotes: [Quote]

    /// An answer.
    public init(quotes: [Quote]) {
        self.quotes = quotes
    }
}

/// A product's price.
public struct Quote: Codable, Sendable, Equatable {
    /// Which product.
    public let sku: String
    /// The price of one.
    public let unitPrice: Int64
    /// Whether its stock is counted in Redis, and taken in mode `mt`; nil: it is not.
    public let flash: Bool?

    /// A product's price.
    public init(sku: String, unitPrice: Int64, flash: Bool? = nil) {
        self.sku = sku
        self.unitPrice = unitPrice
        self.flash = flash
    }
}
