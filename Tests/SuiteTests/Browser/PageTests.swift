import Foundation
import SettlePostgres
import SettleTestSupport
import Testing

extension Proof {
    @Suite("The page, in a browser", .enabled(if: WebDriver.isInstalled), .timeLimit(.minutes(5)))
    struct PageTests {
        private static let isLive = "document.querySelector('#live').className == 'live'"

        private static func with(
            _ name: String, centre: Bool = false, _ body: (Suite, WebDriver) async throws -> Void
        ) async throws {
            try await Suite.with(settings: Suite.impatient, centre: centre) { suite in
                try await WebDriver.with(name) { browser in
                    try await browser.open(suite.url(.order) + "/")
                    try await browser.eventually("the feed is live", isLive)
                    try await body(suite, browser)
                    #expect(try await browser.console() == [], "nothing in the console")
                }
            }
        }

        private static func signIn(_ suite: Suite, _ browser: WebDriver) async throws {
            try await browser.type(suite.token, into: "#token")
            try await browser.click("#sign-in button")
            try await browser.eventually("signed in", "!document.querySelector('#work').hidden")
        }

        private static func choose(_ mode: String, _ browser: WebDriver) async throws {
            try await browser.run("document.querySelector('#mode').value = arguments[0]", [mode])
        }

        @Test("an order in each mode is placed by the form, seen to settle, and its story is told")
        func modes() async throws {
            try await Self.with("modes", centre: true) { suite, browser in
                try await browser.type("alice", into: "#user")
                for (number, mode) in ["at", "tcc", "xa", "saga", "message", "centre"].enumerated() {
                    try await Self.choose(mode, browser)
                    try await browser.click("#place button")
                    try await browser.eventually(
                        "an order in mode \(mode) settles",
                        """
                        document.querySelectorAll('#orders tbody tr').length == \(number + 1)
                        && document.querySelector('#orders tbody tr').cells[1].textContent == 'settled'
                        && document.querySelector('#orders tbody tr').cells[2].textContent == '\(mode)'
                        """)
                }
                try await Self.signIn(suite, browser)
                try await browser.eventually("orders can be opened", "document.querySelector('#orders tbody button')")
                for row in [1, 6] {
                    try await browser.click("#orders tbody tr:nth-child(\(row)) button")
                    try await browser.eventually("its story", "document.querySelector('#story').open")
                    let words =
                        row == 1 ? ["placed", "message", "finished"] : ["placed", "branch", "decided", "committed"]
                    for word in words {
                        try await browser.eventually(
                            word, "document.querySelector('#story-body').textContent.includes('\(word)')")
                    }
                    try await browser.click("#story form button")
                }
            }
        }

        @Test("a wrong token opens nothing; with the right one a parked task is sent again")
        func session() async throws {
            try await Self.with("session", centre: true) { suite, browser in
                try await browser.type("not-the-token-0123", into: "#token")
                try await browser.click("#sign-in button")
                try await browser.eventually("refused", "document.querySelector('#said').className == 'bad'")
                #expect(try await browser.isTrue("document.querySelector('#work').hidden"))
                let said = try await browser.console()
                #expect(said.count == 1 && said[0].contains("401"), "the browser itself says: \(said)")
                let passed = try await suite.send("GET", .order, "/operate/stock/transactions")
                #expect(passed.status == 401)

                let load = suite.load(clients: 1, limit: 3) { _ in .varied(1, in: [.all("message")], spending: 0) }
                _ = await load.finished()
                try await suite.awaitSettled()
                let points = try await suite.points("bob")
                // One that has an answer already, and shall get it again.
                try await Self.park("by a test", suite)
                try await Self.signIn(suite, browser)
                try await browser.eventually(
                    "it is listed", "document.querySelector('#panel').textContent.includes('by a test')")
                try await browser.click("#panel tbody button")
                try await browser.eventually(
                    "it is answered", "!document.querySelector('#panel').textContent.includes('by a test')")
                try await suite.awaitSettled()
                #expect(try await suite.points("bob") == points, "it was done once")
                try await Self.park("by another test", suite)
                try await browser.click("#tab-tasks")
                try await browser.eventually(
                    "it is listed", "document.querySelectorAll('#panel tbody button').length == 2")
                try await browser.click("#panel tbody button + button")
                try await Self.say("no use", browser)
                try await browser.eventually(
                    "it is given up", "!document.querySelector('#panel').textContent.includes('by another test')")
                let kept = try await suite.number(
                    .order, "SELECT count(*) FROM task_his WHERE status = 'discarded' AND errormsg = 'eve: no use'")
                #expect(kept == 1)
                try await browser.click("[data-pause=refundpoint]")
                try await Self.say("a test", browser)
                try await browser.eventually("paused", "document.querySelector('[data-resume=refundpoint]')")
                #expect(try await suite.number(.order, "SELECT count(*) FROM task_pause") == 1)
                try await browser.click("[data-resume=refundpoint]")
                try await browser.eventually("and resumed", "!document.querySelector('[data-resume=refundpoint]')")
                for tab in ["letters", "branches", "rows", "books", "doctor"] {
                    try await browser.click("#tab-\(tab)")
                    try await browser.eventually(
                        "\(tab) is shown",
                        "document.querySelector('#panel').getAttribute('aria-labelledby') == 'tab-\(tab)'")
                }
                try await browser.eventually(
                    "the doctor", "document.querySelector('#panel').textContent.includes('fsync')")
                // No book was compared yet, which is a 404 that the browser notes.
                let noted = try await browser.console()
                #expect(noted.allSatisfy { $0.contains("/reconciliation") }, "\(noted)")
                try await browser.click("#sign-out")
                try await browser.eventually("signed out", "document.querySelector('#work').hidden")
            }
        }

        /// A task of an order that is settled, as if its attempts were used up.
        private static func park(_ errormsg: String, _ suite: Suite) async throws {
            _ = try await suite.rows(
                .order,
                """
                INSERT INTO task (task_type, business_key, mq_exchange, mq_routingkey, request_body, status, attempts,
                                  due_time, errormsg)
                SELECT task_type, business_key, mq_exchange, mq_routingkey, request_body, 'parked', 25, now(),
                       '\(errormsg)'
                FROM task_his WHERE task_type = 'addpoint' AND status = 'finished' LIMIT 1
                """)
        }

        /// Answers who, and why.
        private static func say(_ reason: String, _ browser: WebDriver) async throws {
            try await browser.eventually("it asks", "document.querySelector('#ask').open")
            try await browser.type("eve", into: "#ask-operator")
            try await browser.type(reason, into: "#ask-reason")
            try await browser.click("#ask button[value=yes]")
        }

        @Test("it stays live while 2,000 orders come, and comes back when order does")
        func busy() async throws {
            try await Self.with("busy") { suite, browser in
                let load = suite.load(clients: 8, limit: 2_000) { .varied($0, in: [.all("message")], spending: 0) }
                try await browser.eventually(
                    "orders come", "Number(document.querySelector('#rate').textContent) > 1", within: .seconds(60))
                let attempts = await load.finished()
                try await browser.eventually(
                    "the latest have settled",
                    """
                    [...document.querySelectorAll('#orders tbody tr')].length == 20
                    && [...document.querySelectorAll('#orders tbody tr')].every(r => r.cells[1].textContent == 'settled')
                    """, within: .seconds(60))
                #expect(try await browser.console() == [])
                try await suite.stop(try suite.process(.order))
                try await browser.eventually("it says so", "document.querySelector('#live').className == ''")
                try await suite.restart(.order)
                try await browser.eventually("it is back", Self.isLive)
                // What a browser says of a server that is away.
                let said = try await browser.console()
                #expect(said.allSatisfy { $0.contains("/feed") && $0.contains("ERR_") }, "\(said)")
                try await suite.expectAgreement(attempts)
            }
        }

        @Test("the stop of a service is seen, and what it leaves undecided")
        func away() async throws {
            try await Self.with("away") { suite, browser in
                try await suite.stop(try suite.process(.userPoints))
                try await browser.eventually(
                    "user-points is away",
                    "document.querySelector('#path').textContent.includes('user-points: does not answer')")
                let xid = "01900000-0000-7000-8000-00000000b001"
                #expect(try await suite.deduct(1, mode: "tcc", xid: xid).status == 200)
                try await browser.eventually(
                    "stock waits for a decision",
                    "/1stock: branches undecided/.test(document.querySelector('#path').textContent)")
                try await suite.restart(.userPoints)
                try await browser.eventually(
                    "all is well", "!document.querySelector('#path').textContent.includes('does not answer')")
            }
        }

        @Test(
            "every field has a label and every button a name, contrast is enough in light and dark, in both languages")
        func accessibility() async throws {
            try await Self.with("accessibility") { suite, browser in
                try await Self.signIn(suite, browser)
                _ = await suite.load(clients: 1, limit: 3).finished()
                try await suite.awaitEnded()
                for language in ["en", "zh"] {
                    #expect(try await browser.text("document.documentElement.lang") == language)
                    for scheme in ["light", "dark"] {
                        try await browser.command(
                            "Emulation.setEmulatedMedia",
                            ["features": [["name": "prefers-color-scheme", "value": scheme]]])
                        let faults = try await browser.run(Self.faults) as? [String] ?? ["no answer"]
                        #expect(faults.isEmpty, "\(language), \(scheme): \(faults)")
                    }
                    try await browser.click("#language")
                }
                // By keyboard alone: the first stop is the link past the head; each has an outline.
                try await browser.run("document.activeElement.blur(); window.scrollTo(0, 0)")
                var stops: [String] = []
                for _ in 0..<14 {
                    try await browser.press("\u{E004}")
                    stops.append(
                        try await browser.text("(document.activeElement.id || document.activeElement.className)"))
                    #expect(
                        try await browser.text("getComputedStyle(document.activeElement).outlineStyle") != "none",
                        "\(stops)")
                }
                #expect(stops.contains("user") && stops.contains("mode"), "\(stops)")
                // As wide as a phone: nothing but tables may be wider.
                try await browser.command(
                    "Emulation.setDeviceMetricsOverride",
                    ["width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": true])
                #expect(try await browser.isTrue("document.documentElement.scrollWidth <= 360"))
            }
        }

        /// What a reader could not see or name: WCAG 2.1, 1.4.3 and 4.1.2.
        private static let faults = """
            const visible = e => e.getClientRects().length > 0 && getComputedStyle(e).visibility != 'hidden';
            const faults = [];
            for (const field of document.querySelectorAll('input, select'))
              if (visible(field) && !field.labels.length) faults.push('no label: ' + field.id);
            for (const button of document.querySelectorAll('button'))
              if (visible(button) && !button.textContent.trim()) faults.push('no name: ' + button.outerHTML);
            for (const picture of document.querySelectorAll('svg'))
              if (visible(picture) && !picture.getAttribute('aria-label')) faults.push('no name: ' + picture.id);
            const channels = text => text.match(/[\\d.]+/g).map(Number);
            const linear = c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
            const light = color => color.slice(0, 3).map(c => linear(c / 255))
              .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
            const behind = e => {
              for (let at = e; at; at = at.parentElement) {
                const color = channels(getComputedStyle(at).backgroundColor);
                if (color.length < 4 || color[3] > 0) return color;
              }
              return [255, 255, 255];
            };
            for (const element of document.querySelectorAll('body *')) {
              const own = [...element.childNodes].some(n => n.nodeType == 3 && n.textContent.trim());
              if (!own || !visible(element)) continue;
              const both = [channels(getComputedStyle(element).color), behind(element)].map(light).sort((x, y) => y - x);
              const contrast = (both[0] + 0.05) / (both[1] + 0.05);
              if (contrast < 4.5) faults.push(`contrast ${contrast.toFixed(2)}: ${element.textContent.slice(0, 30)}`);
            }
            return faults;
            """
    }
}
