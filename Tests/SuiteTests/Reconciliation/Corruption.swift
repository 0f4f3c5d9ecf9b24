import SettlePostgres

/// What can go wrong with a book, done to a database behind its service's back.
enum Corruption: String, CaseIterable {
    case pointsRowLost, pointsRowDoubled, pointsChanged, pointsOfAnother, spentRowLost
    case stockRowLost, stockItemsChanged, restockRowLost, takenRowLost
    case orderLost, orderReopened, orderCancelled, orderItemsChanged
    case balanceOfProduct, balanceOfUser, taskOfNobody, branchOfNobody

    /// Which orders it can be done to: a condition on `orders`; nil where it is about none.
    var victims: String? {
        switch self {
        case .pointsRowLost, .pointsRowDoubled, .pointsChanged, .pointsOfAnother: "status = 'settled' AND point > 0"
        case .spentRowLost: "status = 'settled' AND spend_points > 0"
        case .stockRowLost, .stockItemsChanged: "status = 'settled' AND mode IN ('message', 'centre')"
        case .restockRowLost: "status = 'cancelled'"
        case .takenRowLost: "status = 'settled' AND mode NOT IN ('message', 'centre')"
        case .orderLost, .orderReopened, .orderCancelled, .orderItemsChanged: "status = 'settled' AND point > 0"
        case .balanceOfProduct, .balanceOfUser, .taskOfNobody, .branchOfNobody: nil
        }
    }

    /// Which findings there must be.
    var kinds: [String] {
        switch self {
        case .pointsRowLost: ["pointsMissing"]
        case .pointsRowDoubled: ["pointsWithoutOrder"]
        case .pointsChanged, .pointsOfAnother, .spentRowLost: ["pointsDiffer"]
        case .stockRowLost, .takenRowLost: ["stockNotTaken"]
        case .stockItemsChanged, .orderItemsChanged: ["stockDiffers"]
        case .restockRowLost: ["stockKept"]
        case .orderLost: ["stockWithoutOrder", "pointsWithoutOrder"]
        case .orderReopened: ["orderStuck"]
        case .orderCancelled: ["stockKept", "pointsForCancelledOrder"]
        case .balanceOfProduct, .balanceOfUser: ["balance"]
        case .taskOfNobody: ["taskWithoutOrder"]
        case .branchOfNobody: ["branch"]
        }
    }

    /// Does it.
    ///
    /// - Parameter key: an order's id, or the name of an account.
    /// - Returns: what the findings are about.
    func happen(to key: String, in suite: Suite) async throws -> String {
        func change(_ role: Role, _ sql: String) async throws {
            _ = try await suite.rows(role, sql, [.text(key)])
        }
        switch self {
        case .pointsRowLost: try await change(.userPoints, "DELETE FROM point_log WHERE order_id = $1")
        case .pointsRowDoubled:
            try await change(
                .userPoints,
                "INSERT INTO point_log (order_id, user_id, point) SELECT 'copy of ' || order_id, user_id, point FROM point_log WHERE order_id = $1"
            )
            return "copy of \(key)"
        case .pointsChanged: try await change(.userPoints, "UPDATE point_log SET point = point + 7 WHERE order_id = $1")
        case .pointsOfAnother:
            try await change(
                .userPoints,
                """
                UPDATE point_log l SET user_id = (SELECT user_id FROM user_points
                    WHERE user_id <> l.user_id AND user_name NOT LIKE 'idle%' LIMIT 1)
                WHERE order_id = $1
                """)
        case .spentRowLost:
            try await change(.userPoints, "DELETE FROM point_spent WHERE order_id = $1")
            try await change(.userPoints, "DELETE FROM point_spent_at WHERE order_id = $1")
        case .stockRowLost:
            try await change(.stock, "DELETE FROM stock_log WHERE order_id = $1")
        case .stockItemsChanged:
            try await change(
                .stock,
                """
                UPDATE stock_log SET items = jsonb_set(items, '{0,quantity}', to_jsonb((items #>> '{0,quantity}')::int + 1))
                WHERE order_id = $1
                """)
        case .restockRowLost:
            try await change(.stock, "DELETE FROM stock_log WHERE order_id = $1 AND action = 'restock'")
        case .takenRowLost:
            try await change(.stock, "DELETE FROM stock_taken WHERE order_id = $1")
            try await change(.stock, "DELETE FROM stock_taken_at WHERE order_id = $1")
        case .orderLost:
            try await change(.order, "DELETE FROM order_item WHERE order_id = $1::text::uuid")
            try await change(.order, "DELETE FROM orders WHERE id = $1::text::uuid")
        case .orderReopened: try await change(.order, "UPDATE orders SET status = 'placed' WHERE id = $1::text::uuid")
        case .orderCancelled:
            try await change(
                .order, "UPDATE orders SET status = 'cancelled', reason = 'a test' WHERE id = $1::text::uuid")
        case .orderItemsChanged:
            try await change(
                .order,
                """
                UPDATE order_item i SET quantity = quantity + 1
                WHERE order_id = $1::text::uuid AND sku = (SELECT min(sku) FROM order_item WHERE order_id = i.order_id)
                """)
        case .balanceOfProduct:
            try await change(.stock, "UPDATE product SET available = available - 3 WHERE sku = $1")
        case .balanceOfUser:
            try await change(.userPoints, "UPDATE user_points SET points = points + 11 WHERE user_name = $1")
        case .branchOfNobody:
            // As if its initiator had lost its memory, and check-back were not there.
            try await change(
                .stock,
                """
                WITH branch AS (
                    INSERT INTO settle.branch (xid, state, mode, action, initiator, request, answer, created_at, check_time)
                    VALUES ($1, 'undecided', 'tcc', 'deduct', 'order',
                            '{"orderId": "of nobody", "items": [{"sku": "cup", "quantity": 1}]}', '{"quotes": []}',
                            now() - interval '1 hour', now() + interval '1 hour'))
                UPDATE product SET available = available - 1, reserved = reserved + 1 WHERE sku = 'cup' AND $1 <> ''
                """)
        case .taskOfNobody:
            let rows = try await suite.rows(
                .order,
                """
                INSERT INTO task (task_type, business_key, mq_exchange, mq_routingkey, request_body, status, due_time,
                                  create_time, errormsg)
                VALUES ('addpoint', $1, 'ex_buying_addpointurse', 'addpoint', '{}', 'parked', now(),
                        now() - interval '1 hour', 'a test')
                RETURNING id::text
                """, [.text(key)])
            return try rows[0].decode(String.self, at: 0)
        }
        return key
    }
}
