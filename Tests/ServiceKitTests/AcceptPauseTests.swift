import Foundation
import Logging
import NIOCore
import NIOEmbedded
import SettleTestSupport
import Testing

@testable import SettleServiceKit

@Suite("HTTP: accepting connections")
struct AcceptPauseTests {
    @Test("with no descriptor for the next one nothing is accepted for a moment: the event loop does not spin")
    func pause() throws {
        let collector = LogCollector()
        let log = collector.handler
        let channel = EmbeddedChannel(handler: AcceptPause(logger: Logger(label: "test") { _ in log }))
        defer { _ = try? channel.finish() }
        func isAccepting() -> Bool? {
            channel.options.last { $0.option is ChannelOptions.Types.AutoReadOption }?.value as? Bool
        }
        for _ in 0..<2 {
            // The second one was on its way already.
            for _ in 0..<2 { channel.pipeline.fireErrorCaught(IOError(errnoCode: EMFILE, reason: "accept")) }
            #expect(isAccepting() == false)
            channel.embeddedEventLoop.advanceTime(by: .milliseconds(499))
            #expect(isAccepting() == false)
            channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
            #expect(isAccepting() == true)
        }
        #expect(collector.lines.count == 1)
    }
}
