import HTTPTypes
package import SettleServiceKit

extension DiagnosisRoutes: DescribedRoutes {
    package static var operations: [APIOperation] {
        [
            APIOperation(.get, "/doctor", .token, "Whether the settings of the servers are as they should be.")
                .answering(
                    .ok,
                    .object([
                        "checks": .array(
                            of: .object(
                                [
                                    "name": .text, "value": .text,
                                    "verdict": .choice(["ok", "warning", "wrong", "unknown"]),
                                ], optional: ["advice": .text]))
                    ])),
            APIOperation(.get, "/migrations", .token, "The migrations of the service, and which ones its database has.")
                .answering(
                    .ok,
                    .object([
                        "migrations": .array(
                            of: .object(
                                ["set": .text, "name": .text, "differs": .bool], optional: ["appliedAt": .time]))
                    ])),
            APIOperation(.post, "/migrations/apply", .token, "Applies the migrations that are missing.")
                .answering(.ok, .object(["applied": .array(of: .text)]))
                .refusing(Self.migratesElsewhere),
        ]
    }
}
