import Hummingbird
import Testing

@testable import SettleServiceKit

@Suite("Route table")
struct RouteTableTests {
    private let table: RouteTable = {
        let table = RouteTable()
        table.set([
            ("/orders", "GET"), ("/orders", "POST"), ("/orders/{id}", "GET"), ("/products/:sku", "PUT"), ("/", "GET"),
        ])
        return table
    }()

    @Test("methods of a path, with HEAD beside GET")
    func methods() {
        #expect(table.methods(path: "/orders") == ["GET", "HEAD", "POST"])
        #expect(table.methods(path: "/orders/") == ["GET", "HEAD", "POST"])
        #expect(table.methods(path: "/orders/7") == ["GET", "HEAD"])
        #expect(table.methods(path: "/products/tea") == ["PUT"])
        #expect(table.methods(path: "/") == ["GET", "HEAD"])
        #expect(table.methods(path: "/orders/7/items") == [])
        #expect(table.methods(path: "/order") == [])
    }

    @Test("a part that is named goes before one that may be any")
    func named() {
        let table = RouteTable()
        table.set([("/parts/:id", "GET"), ("/parts/end", "POST"), ("/:any/end", "DELETE")])
        #expect(table.methods(path: "/parts/end") == ["POST"])
        #expect(table.methods(path: "/parts/7") == ["GET", "HEAD"])
        #expect(table.methods(path: "/others/end") == ["DELETE"])
    }

    @Test("a wrong method is told from an unknown path")
    func problems() {
        #expect(table.problem(method: "DELETE", path: "/orders").status == .methodNotAllowed)
        #expect(table.problem(method: "DELETE", path: "/orders").headers[.allow] == "GET, HEAD, POST")
        #expect(table.problem(method: "GET", path: "/nowhere").status == .notFound)
    }
}
