import Hummingbird
import SettleServiceKit
import ShopContract

/// `/customers`: for order, which is shown the tokens.
struct CustomerRoutes {
    let tokens: CustomerTokens

    func add(to guarded: ServiceRoutes) {
        guarded.post("customers/verify") { request, context in
            let body = try await requireJSON(CustomerCheck.self, from: request, context: context)
            try Check.count("customers", body.customers, 1...CustomerCheck.limit)
            return try Response.json(CustomerVerdict(valid: try await tokens.areTheirs(body.customers)))
        }
    }
}
