import HTTPTypes
package import SettleServiceKit

extension FaultRoutes: DescribedRoutes {
    package static var operations: [APIOperation] {
        [
            APIOperation(.get, "/faults", .token, "Where the process can be made to fail.")
                .answering(.ok, .object(["process": .uuid, "points": .array(of: .text)])),
            APIOperation(.put, "/faults", .token, "Plans failures; those planned before are forgotten.")
                .reading(Plan.self, .request(["faults": .text, "seconds": seconds])).answering(.accepted),
            APIOperation(.post, "/faults/process", .token, "Kills the process, restarts it, or has it pause.")
                .reading(
                    Order.self,
                    .request(["action": .choice(["kill", "restart", "pause"])], optional: ["seconds": seconds])
                )
                .answering(.accepted),
        ]
    }

    private static let seconds = APISchema.integer(1...Int64(maxSeconds))
}
