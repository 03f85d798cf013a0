internal import Host

// What came of a batch as a whole.
extension WriteBatch {
  /// What came of it.
  enum Result: Equatable {
    /// All was written and synced.
    case whole
    /// Nothing failed, and it is not durable: it is written again.
    case passing
    /// The device failed.
    case failed(Errno)

    /// What the device failed with.
    var errno: Errno? { if case .failed(let errno) = self { errno } else { nil } }
  }

  /// What came of a batch that is complete.
  var result: Result {
    for write in writes where Int(write.result) != write.bytes.count {
      return write.result < 0 && !Self.isPassing(-write.result) ? .failed(Errno(rawValue: -write.result)) : .passing
    }
    if syncResult == 0 { return .whole }
    return Self.isPassing(-syncResult) ? .passing : .failed(Errno(rawValue: -syncResult))
  }

  /// Completes it as one whose first write failed.
  func fail(_ errno: Errno) {
    for index in writes.indices { writes[index].result = -Self.cancelled }
    if !writes.isEmpty { writes[0].result = -errno.rawValue }
    syncResult = -Self.cancelled
    isComplete = true
  }

  /// Completes it as one that is durable.
  func succeed() {
    for index in writes.indices { writes[index].result = Int32(writes[index].bytes.count) }
    syncResult = 0
    isComplete = true
  }

  /// Whether an errno says that nothing is wrong with the device: ECANCELED, EINTR, EAGAIN, EBUSY.
  private static func isPassing(_ errno: Int32) -> Bool { [cancelled, 4, 11, 16].contains(errno) }

  private static let cancelled: Int32 = 125  // ECANCELED
}
