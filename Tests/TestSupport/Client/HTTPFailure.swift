/// Why a request got no answer.
package enum HTTPFailure: Error, Hashable, Sendable {
    /// No connection: nobody has seen the request.
    case notConnected
    /// The connection ended after so many bytes of the answer. With zero bytes the request may not have been taken.
    case closed(answerBytes: Int)
    /// Nothing, or not all, came within the time-out.
    case timeout(answerBytes: Int)
    /// What came is no HTTP/1.1 answer.
    case malformed(String)
}
