import NIOCore
import NIOPosix

/// The address and the port to listen on, looked at before anything is started.
struct ListenAddress: Sendable {
    var host = "127.0.0.1"
    var port: Int

    /// What an operator may set.
    static let rows: [SettingRow<ListenAddress>] = [
        .text("http-host", \.host, form: "an address of this machine", "The address to listen on."),
        .integer("http-port", \.port, in: 1...65535, "The port to listen on."),
    ]

    /// Opens nothing that a client could reach: a UDP socket is bound for a moment, which needs the same of the
    /// address and of the process as listening does. A port that another program has is found when listening; it may
    /// be free by then.
    ///
    /// - Throws: ``SettingsError`` for what is no address of this machine, or a port that this process may not use.
    func check() async throws(SettingsError) {
        do {
            let channel = try await DatagramBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .channelOption(.socketOption(.so_reuseaddr), value: 1)
                .bind(host: host, port: port).get()
            try await channel.close()
        } catch let error as IOError {
            switch error.errnoCode {
            case EADDRINUSE: break
            case EACCES, EPERM:
                throw SettingsError("http-port", "a port that this process may use is expected")
            default: throw notOurs
            }
        } catch {
            throw notOurs
        }
    }

    private var notOurs: SettingsError {
        SettingsError("http-host", "an address of this machine is expected, or a name that stands for one")
    }
}
