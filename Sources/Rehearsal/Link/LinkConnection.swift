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

  /// The end of whoever connected, and that of whoever listens.
  let (near, far): (Int32, Int32)
  private var (toNear, toFar) = (Piece(), Piece())
  /// Whether it carries nothing any more.
  var isSilent = false

  static let pieceByteCount = 1 << 16
  /// What the kernel holds at each end: what piles up is to be the detector's matter.
  private static let socketByteCount: Int32 = 128 << 10

  /// Takes over both descriptors, and closes them when it goes.
  init(near: Int32, far: Int32) {
    (self.near, self.far) = (near, far)
    for (end, option) in [(near, SO_SNDBUF), (far, SO_RCVBUF)] {
      var (size, isOn): (Int32, Int32) = (Self.socketByteCount, 1)
      setsockopt(end, SOL_SOCKET, option, &size, socklen_t(MemoryLayout<Int32>.size))
      setsockopt(end, Int32(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<Int32>.size))
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
  }

  deinit {
    close(near)
    close(far)
  }

  /// What is to be waited for: at the near end, and at the far one. `canSend` says whether something may go to each.
  func events(canSend: (toNear: Bool, toFar: Bool)) -> [pollfd] {
    func entry(_ end: Int32, _ reads: Bool, _ writes: Bool) -> pollfd {
      // A descriptor of which nothing is wanted would still report that it is closed, again and again.
      pollfd(fd: reads || writes ? end : -1, events: Int16((reads ? POLLIN : 0) | (writes ? POLLOUT : 0)), revents: 0)
    }
    guard !isSilent else { return [] }
    return [
      entry(near, toFar.isEmpty && !toFar.isLast, !toNear.isEmpty && canSend.toNear),
      entry(far, toNear.isEmpty && !toNear.isLast, !toFar.isEmpty && canSend.toFar),
    ]
  }

  /// Hands on what it can, at most so many bytes to each end; gives how many went there, nil where the connection is
  /// over.
  func handOn(_ allowance: (toNear: Int, toFar: Int)) -> (toNear: Int, toFar: Int)? {
    guard !isSilent else { return (0, 0) }
    guard let sentNear = Self.move(&toNear, from: far, to: near, allowance.toNear),
      let sentFar = Self.move(&toFar, from: near, to: far, allowance.toFar)
    else { return nil }
    // An end that has closed is gone once what it said has been handed on.
    return toNear.isLast && toNear.isEmpty || toFar.isLast && toFar.isEmpty ? nil : (sentNear, sentFar)
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
