import Foundation

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// `poll(2)` under a name that a method called `poll` does not hide.
func systemPoll(_ descriptors: UnsafeMutablePointer<pollfd>, _ count: nfds_t, _ milliseconds: Int32) -> Int32 {
    unsafe poll(descriptors, count, milliseconds)
}

/// Lends an array of C strings that ends with a null pointer, as C functions take lists of options.
func withCStrings<R>(_ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> R) -> R {
    var pointers = unsafe strings.map { unsafe UnsafePointer<CChar>(strdup($0)) }
    unsafe pointers.append(nil)
    // Safe: each was allocated by strdup just above, and nobody keeps them past `body`.
    defer { unsafe pointers.forEach { unsafe free(UnsafeMutablePointer(mutating: $0)) } }
    return unsafe pointers.withUnsafeBufferPointer { unsafe body($0.baseAddress) }
}
