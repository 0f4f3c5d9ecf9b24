extension Bootstrap {
    /// A client of `peer`, which carries the token that is meant for it.
    ///
    /// - Throws: ``SettingsError`` when `peer` is not one of this service's peers.
    public func client(_ peer: PeerService, over outbound: OutboundHTTP) throws(SettingsError) -> ServiceClient {
        let url = try settings.url(of: peer)
        return ServiceClient(peer.name, baseURL: url.description, token: settings.token.sent(to: url), over: outbound)
    }
}
