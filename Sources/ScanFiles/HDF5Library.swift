package import CHDF5
import Synchronization

/// Every call into libhdf5 goes through here: one at a time, silent, and with the library's own message when it fails.
///
/// (Open to the package for its tests, which write files that no writer of this module would.)
package enum HDF5 {
  /// What the library said about a call that failed.
  package struct Failure: Error {
    package let message: String
  }

  /// Held during a call and while its message is read. Debian's library is thread-safe, others are not.
  private static let lock = Mutex(())

  private static let isOpen = chdf5_open() >= 0

  /// Makes one call. A negative result is a failure. The body calls the library only, never this function.
  package static func call<Result: SignedInteger & Sendable>(_ body: () -> Result) throws(Failure) -> Result {
    // The closure only borrows what it captures, for as long as the lock is held.
    nonisolated(unsafe) let body = body
    let (result, message) = lock.withLock { _ -> (Result, String?) in
      precondition(isOpen && chdf5_silence() >= 0, "libhdf5 cannot be opened")
      let result = body()
      return (result, result < 0 ? takeMessage() : nil)
    }
    if let message { throw Failure(message: message) }
    return result
  }

  /// Gives a handle back. Nothing is left to be said when that fails: a file that was written is flushed and checked
  /// before it is closed.
  static func release(_ id: hid_t) {
    lock.withLock { _ in
      _ = chdf5_silence()
      _ = H5Idec_ref(id)
    }
  }

  private static func takeMessage() -> String {
    var message = chdf5_message()
    chdf5_take_message(&message)
    return withUnsafeBytes(of: &message) { bytes in
      let text = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      return text.isEmpty ? "libhdf5 gives no reason" : text.replacing("\n", with: " ")
    }
  }
}

/// An identifier of libhdf5 (file, dataset, type, space, property list …) that is given back when it goes out of scope.
package struct HDF5Handle: ~Copyable {
  package let id: hid_t

  /// Takes the identifier that the call returns.
  package init(_ body: () -> hid_t) throws(HDF5.Failure) { id = try HDF5.call(body) }

  deinit { HDF5.release(id) }
}
