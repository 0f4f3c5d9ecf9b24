import SettleTestSupport
import Testing

extension Proof {
    @Suite("Break it from the page, in a browser", .enabled(if: WebDriver.isInstalled), .timeLimit(.minutes(6)))
    struct FaultPageTests {
        @Test("switches say what will happen, and afterwards what became of it")
        func verdicts() async throws {
            try await FaultBed.with { bed in
                try await WebDriver.with("faults") { browser in
                    try await Self.open(bed, browser)
                    try await browser.type("3", into: "#faults-seconds")
                    for (group, id, mended) in [
                        ("process", "kill:user-points", "starts, with recovery"),
                        ("order", "failpoint:order:order.committed", "tasks sent again"),
                        ("network", "away:redis", ""), ("network", "slow", ""), ("process", "kill:order", "starts"),
                    ] {
                        try await Self.breakIt(browser, group, id)
                        try await browser.eventually(
                            "the verdict on \(id)", "\(Self.latest).dataset.phase == 'over'", within: .seconds(120))
                        let text = try await browser.text("\(Self.latest).textContent")
                        #expect(text.contains(id) && text.contains("All is well"), "\(text)")
                        #expect(text.contains("The books agree") && text.contains(mended), "\(text)")
                    }
                    // In the other language.
                    try await browser.click("#language")
                    try await browser.eventually("in Chinese", "\(Self.latest)?.textContent.includes('账目一致')")
                    // What the browser says of a service that was killed.
                    let said = try await browser.console()
                    #expect(said.allSatisfy { $0.contains("ERR_") || $0.contains("50") }, "\(said)")
                }
            }
        }

        @Test("a wrong token breaks nothing; the page has switches only where they are on")
        func tokens() async throws {
            try await FaultBed.with { bed in
                try await WebDriver.with("faults-token") { browser in
                    try await browser.open(bed.suite.url(.order) + "/")
                    try await browser.eventually(
                        "the page says that faults are on",
                        "document.querySelector('#faults')?.textContent.includes('for demonstrations')")
                    #expect(try await browser.isTrue("document.querySelector('#faults-work').hidden"))
                    try await browser.type("not-the-token-0123", into: "#token")
                    try await browser.click("#sign-in button")
                    try await browser.eventually("refused", "document.querySelector('#said').className == 'bad'")
                    #expect(try await browser.isTrue("document.querySelector('#faults-work').hidden"))
                    let passed = try await bed.suite.send("GET", .order, "/operate/fault-agent/switches")
                    #expect(passed.status == 401)
                }
            }
            try await Suite.with { suite in
                try await WebDriver.with("no-faults") { browser in
                    try await browser.open(suite.url(.order) + "/")
                    try await browser.eventually(
                        "the feed is live", "document.querySelector('#live').className == 'live'")
                    try await browser.type(suite.token, into: "#token")
                    try await browser.click("#sign-in button")
                    try await browser.eventually("signed in", "!document.querySelector('#work').hidden")
                    #expect(try await browser.isTrue("document.querySelector('#faults') === null"))
                    #expect(try await browser.console() == [])
                }
            }
        }

        private static let latest = "document.querySelector('#trials article')"

        private static func open(_ bed: FaultBed, _ browser: WebDriver) async throws {
            try await browser.open(bed.suite.url(.order) + "/")
            try await browser.eventually("the switches' script is there", "document.querySelector('#faults')")
            try await browser.type(bed.suite.token, into: "#token")
            try await browser.click("#sign-in button")
            try await browser.eventually("switches", "document.querySelector('#switch-process')")
        }

        private static func breakIt(_ browser: WebDriver, _ group: String, _ id: String) async throws {
            let before = try await browser.text("\(latest)?.dataset.trial ?? ''")
            try await browser.run(
                """
                const list = document.querySelector(arguments[0]);
                list.value = arguments[1];
                list.dispatchEvent(new Event('change'));
                """, ["#switch-\(group)", id])
            #expect(try await browser.text("document.querySelector('#says-\(group)').textContent") != "")
            try await browser.eventually("it can be broken", "!document.querySelector('#break-\(group)').disabled")
            try await browser.click("#break-\(group)")
            try await browser.eventually("it begins", "\(latest) && \(latest).dataset.trial != '\(before)'")
        }
    }
}
