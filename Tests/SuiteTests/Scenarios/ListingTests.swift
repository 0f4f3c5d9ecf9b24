import Foundation
import SettlePostgres
import SettleTestSupport
import Testing

extension Proof {
    @Suite("Lists of orders", .timeLimit(.minutes(2)))
    struct ListingTests {
        private struct Page: Decodable {
            struct Order: Decodable {
                let id: String
            }

            let orders: [Order]
            let next: String?
        }

        @Test("a rare status among many orders is looked for page by page, each page of a bounded cost")
        func bounded() async throws {
            try await Suite.with { suite in
                let many = 12_000
                _ = try await suite.rows(
                    .order,
                    """
                    INSERT INTO orders (id, user_name, total, spend_points, pay_money, point, status, mode, reason)
                    SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'alice', 1, 0, 1, 1,
                           CASE n WHEN 1 THEN 'cancelling' ELSE 'settled' END, 'message', 'a reason'
                    FROM generate_series(1, \(many)) AS n
                    """)
                _ = try await suite.rows(
                    .order,
                    """
                    INSERT INTO order_item (order_id, sku, quantity, unit_price)
                    SELECT id, 'tea', 1, 1 FROM orders WHERE status = 'cancelling'
                    """)
                var found: [String] = []
                var pages = 0
                var next: String?
                repeat {
                    let path = "/orders?status=cancelling&userName=alice" + (next.map { "&before=\($0)" } ?? "")
                    let answer = try await suite.send("GET", .order, path)
                    #expect(answer.status == 200, "\(answer.text)")
                    let page = try answer.decode(Page.self)
                    found += page.orders.map(\.id)
                    next = page.next
                    pages += 1
                } while next != nil && pages < 10
                #expect(found == ["00000000-0000-7000-8000-000000000001"])
                #expect(pages == 3, "12,000 orders, 5,000 looked at for a page")
            }
        }
    }
}
