import Glibc

/// A connection over a link: its two ends, and what came from each for the other one.
final class LinkConnection {
  /// What came from one end and goes to the other: never more than one piece.
  private struct Piece {
    var bytes = [UInt8](repeating: 0, count: LinkConnection.pieceByteCount)
    var (start, end) = (0, 0)
    /// Whether the end from which it came is closed.
    var isLast = false

    var isEmpty: Bool { start == end }
  }

  /// The run's end, and the detector's.
  let (run, detector): (Int32, Int32)
  private var (toRun, toDetector) = (Piece(), Piece())

  static let pieceByteCount = 1 << 16
  /// What the kernel holds at each end: what piles up is to be the detector's matter.
  private static let socketByteCount: Int32 = 128 << 10

  /// Takes over both descriptors, and closes them when it goes.
  init(run: Int32, detector: Int32) {
    (self.run, self.detector) = (run, detector)
    for (end, option) in [(run, SO_SNDBUF), (detector, SO_RCVBUF)] {
      var (size, isOn): (Int32, Int32) = (Self.socketByteCount, 1)
      setsockopt(end, SOL_SOCKET, option, &size, socklen_t(MemoryLayout<Int32>.size))
      setsockopt(end, Int32(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<Int32>.size))
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
  }

  deinit {
    close(run)
    close(detector)
  }

  /// What is to be waited for: at the run's end, and at the detector's.
  func events(canSend: Bool) -> [pollfd] {
    func entry(_ end: Int32, _ reads: Bool, _ writes: Bool) -> pollfd {
      // A descriptor of which nothing is wanted would still report that it is closed, again and again.
      pollfd(fd: reads || writes ? end : -1, events: Int16((reads ? POLLIN : 0) | (writes ? POLLOUT : 0)), revents: 0)
    }
    return [
      entry(run, toDetector.isEmpty && !toDetector.isLast, !toRun.isEmpty && canSend),
      entry(detector, toRun.isEmpty && !toRun.isLast, !toDetector.isEmpty),
    ]
  }

  /// Hands on what it can, at most `allowance` bytes to the run; gives how many went there, nil where the connection
  /// is over.
  func handOn(allowance: Int) -> Int? {
    guard let sent = Self.move(&toRun, from: detector, to: run, allowance),
      Self.move(&toDetector, from: run, to: detector, .max) != nil
    else { return nil }
    // An end that has closed is gone once what it said has been handed on.
    return toRun.isLast && toRun.isEmpty || toDetector.isLast ? nil : sent
  }

  private static func move(_ piece: inout Piece, from source: Int32, to target: Int32, _ allowance: Int) -> Int? {
    if piece.isEmpty, !piece.isLast {
      let count = piece.bytes.withUnsafeMutableBytes { recv(source, $0.baseAddress, $0.count, 0) }
      if count < 0, errno != EAGAIN, errno != EINTR { return nil }
      piece.isLast = count == 0
      (piece.start, piece.end) = (0, max(0, count))
    }
    let length = min(piece.end - piece.start, allowance)
    guard length > 0 else { return 0 }
    let count = piece.bytes.withUnsafeBytes {
      send(target, $0.baseAddress! + piece.start, length, Int32(MSG_NOSIGNAL))
    }
    if count < 0 { return errno == EAGAIN || errno == EINTR ? 0 : nil }
    piece.start += count
    return count
  }
}
