import Foundation
import Glibc
import Host
import Synchronization

/// A link to a port of this machine, which can be cut: what is sent to its own port goes on to the other one.
package final class LinkRelay {
  /// What becomes of the connections over it.
  package enum State: Sendable {
    /// They work.
    case open
    /// They say nothing any more, and nobody is told: neither now nor once the link is open again. New ones wait.
    case silent
    /// They are closed, and new ones as well.
    case closed
  }

  /// Where it listens.
  package let port: UInt16
  private let loop: Loop

  /// A link to `target`.
  package init(to target: UInt16) throws {
    loop = try Loop(target)
    port = loop.port
    let loop = loop
    Thread.detachNewThread { loop.run() }
  }

  deinit { loop.end() }

  /// Its address for a fabric.
  package var address: String { "nats://127.0.0.1:\(port)" }

  /// Cuts it, or opens it for connections that are made from now on; those that were closed or silenced stay so.
  package func set(_ state: State) { loop.set(state) }
}

/// The thread that hands on.
private final class Loop: Sendable {
  let port: UInt16
  private let target: UInt16
  private let listener: Int32
  /// Its other end is written to where the state has changed.
  private let (bell, ringer): (Int32, Int32)
  private let state = Mutex((link: LinkRelay.State.open, isOver: false))
  private let isDone = DispatchSemaphore(value: 0)

  private static let byteCountMax = 1 << 16

  /// Two ends, and what came from each for the other one.
  private struct Pair {
    let ends: [Int32]
    var held: [[UInt8]] = [[], []]
    var isSilent = false
  }

  init(_ target: UInt16) throws {
    self.target = target
    (listener, port) = try LoopbackPort.bound()
    guard listen(listener, 16) == 0 else { throw POSIXError(.EADDRINUSE) }
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw POSIXError(.EMFILE) }
    ends.forEach(Self.prepare)
    (bell, ringer) = (ends[0], ends[1])
  }

  /// Nothing waits for it, and no program that is started has it.
  private static func prepare(_ descriptor: Int32) {
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
  }

  deinit { [listener, bell, ringer].forEach { _ = close($0) } }

  func set(_ link: LinkRelay.State) {
    state.withLock { $0.link = link }
    ring()
  }

  func end() {
    state.withLock { $0.isOver = true }
    ring()
    isDone.wait()
  }

  private func ring() { _ = write(ringer, [1], 1) }

  func run() {
    var pairs: [Pair] = []
    while true {
      let (link, isOver) = state.withLock { $0 }
      if isOver || link == .closed {
        pairs.forEach { $0.ends.forEach { _ = close($0) } }
        pairs = []
      }
      guard !isOver else { break }
      if link == .silent { pairs.indices.forEach { pairs[$0].isSilent = true } }
      turn(&pairs, link)
    }
    isDone.signal()
  }

  /// Waits for something to do, and does it.
  private func turn(_ pairs: inout [Pair], _ link: LinkRelay.State) {
    var polled = [pollfd(fd: bell, events: Int16(POLLIN), revents: 0)]
    polled.append(pollfd(fd: link == .silent ? -1 : listener, events: Int16(POLLIN), revents: 0))
    for pair in pairs {
      for side in 0...1 {
        let reads = pair.held[side].isEmpty ? POLLIN : 0, writes = pair.held[1 - side].isEmpty ? 0 : POLLOUT
        polled.append(
          pollfd(fd: pair.isSilent ? -1 : pair.ends[side], events: Int16(reads | writes), revents: 0))
      }
    }
    guard poll(&polled, nfds_t(polled.count), 1000) > 0 else { return }
    var bytes = [UInt8](repeating: 0, count: Self.byteCountMax)
    if polled[0].revents != 0 {
      _ = read(bell, &bytes, bytes.count)
      // What it says comes first.
      return
    }
    var kept: [Pair] = []
    for (index, pair) in pairs.enumerated() {
      var pair = pair, isOpen = true
      for side in 0...1 where polled[2 + 2 * index + side].revents != 0 {
        isOpen = isOpen && hand(on: &pair, side, polled[2 + 2 * index + side].revents, &bytes)
      }
      if isOpen { kept.append(pair) } else { pair.ends.forEach { _ = close($0) } }
    }
    pairs = kept
    if polled[1].revents != 0 { admit(&pairs, link) }
  }

  /// Takes what one end has, and gives it what came from the other one; false where it is closed.
  private func hand(on pair: inout Pair, _ side: Int, _ events: Int16, _ bytes: inout [UInt8]) -> Bool {
    if !pair.held[1 - side].isEmpty {
      let count = send(pair.ends[side], pair.held[1 - side], pair.held[1 - side].count, Int32(MSG_NOSIGNAL))
      guard count >= 0 || errno == EAGAIN else { return false }
      pair.held[1 - side].removeFirst(max(0, count))
    }
    guard pair.held[side].isEmpty, Int32(events) & (POLLIN | POLLHUP | POLLERR) != 0 else { return true }
    let count = read(pair.ends[side], &bytes, bytes.count)
    guard count > 0 else { return count < 0 && errno == EAGAIN }
    pair.held[side] = Array(bytes[..<count])
    return true
  }

  private func admit(_ pairs: inout [Pair], _ link: LinkRelay.State) {
    let client = accept(listener, nil, nil)
    guard client >= 0 else { return }
    guard link == .open, let server = try? LoopbackPort.connection(to: target) else {
      close(client)
      return
    }
    for end in [client, server] {
      Self.prepare(end)
      var isOn: Int32 = 1
      setsockopt(end, Int32(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<Int32>.size))
    }
    pairs.append(Pair(ends: [client, server]))
  }
}
