import Foundation
import SettleTestSupport
import Testing

/// A headless Chromium, driven as https://www.w3.org/TR/webdriver2/ has it.
final class WebDriver: Sendable {
    private let port: Int
    private let session: String

    static var isInstalled: Bool {
        ["chromedriver", "chromium"].allSatisfy { FileManager.default.isExecutableFile(atPath: "/usr/bin/\($0)") }
    }

    /// Runs `body` with a browser of its own, which keeps nothing. A failure leaves a picture of the page.
    static func with(_ name: String, _ body: (WebDriver) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "settle-browser-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { #expect(throws: Never.self) { try FileManager.default.removeItem(at: folder) } }
        let port = try Ports.take()
        let child = try Child(
            "/usr/bin/chromedriver", ["--port=\(port)"], environment: ["HOME": folder.path, "PATH": "/usr/bin:/bin"],
            output: folder.appending(path: "driver"), errors: folder.appending(path: "errors"))
        defer { child.signal(SIGTERM) }
        try await SettleTestSupport.eventually("the driver is up") {
            guard case .success(let answer) = await HTTPConnection.send("GET", port, "/status") else { return false }
            return answer.status == 200
        }
        let driver = try await WebDriver(port: port, profile: folder.appending(path: "profile").path)
        do {
            try await body(driver)
        } catch {
            Issue.record(error)
        }
        if FailureLog.hasFailed { try await driver.screenshot(name) }
        _ = try await driver.send("DELETE", "", [:])
    }

    private init(port: Int, profile: String) async throws {
        self.port = port
        let options: [String: Any] = [
            "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1200,1000",
                "--user-data-dir=\(profile)", "--lang=en",
            ]
        ]
        let capabilities: [String: Any] = [
            "alwaysMatch": [
                "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": ["browser": "ALL"],
            ]
        ]
        let answer = try await Self.call("POST", port, "/session", ["capabilities": capabilities])
        session = try #require((answer as? [String: Any])?["sessionId"] as? String, "\(answer)")
    }

    // MARK: The page

    func open(_ url: String) async throws { _ = try await send("POST", "/url", ["url": url]) }

    /// What a script returns; texts, numbers and lists of them.
    @discardableResult
    func run(_ script: String, _ arguments: [Any] = []) async throws -> Any {
        try await send("POST", "/execute/sync", ["script": script, "args": arguments])
    }

    func text(_ script: String) async throws -> String { try await run("return " + script) as? String ?? "" }

    func isTrue(_ script: String) async throws -> Bool { try await run("return Boolean(\(script))") as? Bool ?? false }

    /// Waits until a script's answer is true; what the page shows stands in the failure.
    func eventually(_ what: String, _ script: String, within limit: Duration = .seconds(30)) async throws {
        try await SettleTestSupport.eventually(what, within: limit) { try await self.isTrue(script) }
    }

    /// As a person does: scrolled to, and refused where something else covers it.
    func click(_ selector: String) async throws {
        _ = try await send("POST", "/element/\(try await element(selector))/click", [:])
    }

    /// Replaces what is in a field.
    func type(_ text: String, into selector: String) async throws {
        let id = try await element(selector)
        _ = try await send("POST", "/element/\(id)/clear", [:])
        _ = try await send("POST", "/element/\(id)/value", ["text": text])
    }

    /// Keys for whatever has the focus.
    func press(_ keys: String) async throws {
        let actions = keys.flatMap { key in
            [["type": "keyDown", "value": String(key)], ["type": "keyUp", "value": String(key)]]
        }
        _ = try await send("POST", "/actions", ["actions": [["type": "key", "id": "keyboard", "actions": actions]]])
    }

    /// What the page and the browser have written to the console since it was asked last, but for debugging.
    func console() async throws -> [String] {
        let entries = try await send("POST", "/se/log", ["type": "browser"]) as? [[String: Any]] ?? []
        return entries.filter { ["SEVERE", "WARNING"].contains($0["level"] as? String ?? "") }
            .map { $0["message"] as? String ?? "" }
    }

    /// A command of the browser's own protocol.
    func command(_ name: String, _ parameters: [String: Any]) async throws {
        _ = try await send("POST", "/goog/cdp/execute", ["cmd": name, "params": parameters])
    }

    private func screenshot(_ name: String) async throws {
        guard let text = try await send("GET", "/screenshot", nil) as? String, let picture = Data(base64Encoded: text)
        else { return }
        let folder = Testbed.root.appending(path: ".run/test/screenshots")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try picture.write(to: folder.appending(path: "\(name).png"))
    }

    private func element(_ selector: String) async throws -> String {
        let found = try await send("POST", "/element", ["using": "css selector", "value": selector])
        return try #require((found as? [String: String])?.values.first, "no \(selector)")
    }

    // MARK: The driver

    private func send(_ method: String, _ path: String, _ body: [String: Any]?) async throws -> Any {
        try await Self.call(method, port, "/session/\(session)\(path)", body)
    }

    private static func call(_ method: String, _ port: Int, _ path: String, _ body: [String: Any]?) async throws -> Any
    {
        let bytes = try body.map { Array(try JSONSerialization.data(withJSONObject: $0)) } ?? []
        let answer = try await HTTPConnection.send(
            method, port, path, headers: ["Content-Type": "application/json"], body: method == "GET" ? [] : bytes
        ).get()
        let object = try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any]
        let value = object?["value"] ?? NSNull()
        guard answer.status == 200 else { throw NotInTime("\(method) \(path): \(answer.text.prefix(500))") }
        return value
    }
}
