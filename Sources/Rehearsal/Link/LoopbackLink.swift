import Foundation
import Glibc
import Host
import Synchronization

/// A link to a port of this machine which can fail: what connects to its own port on the loopback address is handed on
/// to the other one, as quickly as the link carries it. It needs no privileges.
///
/// ```
/// near end ──► port │ piece of 64 KiB ◄── bucket │ target's port
/// ```
/// What is under way is bounded: a piece and two buffers of the kernel for each direction. The rest waits at whoever
/// sends.
package final class LoopbackLink {
  /// Where one connects.
  package let port: UInt16
  private let loop: LinkLoop

  /// A link to port `target` of this machine, which carries what comes.
  package init(to target: UInt16) throws {
    loop = try LinkLoop(target)
    port = loop.port
    let loop = loop
    Thread.detachNewThread { loop.run() }
  }

  deinit { loop.end() }

  /// What it does from now on.
  package func set(_ state: LinkState) { loop.set(state) }

  /// Bytes that came from the target so far.
  var carried: Int { loop.carried }
}

/// The thread that hands on.
private final class LinkLoop: Sendable {
  let port: UInt16
  private let target: UInt16
  private let listener: Int32
  /// What is written to the second wakes whoever waits for the first.
  private let (bell, ringer): (Int32, Int32)
  private let state = Mutex((link: LinkState.free, isOver: false, carried: 0))
  private let isDone = DispatchSemaphore(value: 0)

  private static let connectionsMax = 32
  /// A bucket is looked at so often, in milliseconds; what else happens is heard of.
  private static let (bucketPeriod, period): (Int32, Int32) = (2, 1000)

  init(_ target: UInt16) throws {
    self.target = target
    (listener, port) = try LoopbackPort.bound()
    var ends: [Int32] = [0, 0]
    guard listen(listener, 8) == 0, pipe(&ends) == 0 else {
      let reason = Errno.current
      close(listener)
      throw HostError.system(call: "listen", subject: "a link on the loopback address", errno: reason)
    }
    (bell, ringer) = (ends[0], ends[1])
    for descriptor in [listener, bell, ringer] {
      _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
      _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    }
  }

  deinit { for descriptor in [listener, bell, ringer] { close(descriptor) } }

  var carried: Int { state.withLock { $0.carried } }

  func set(_ link: LinkState) {
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
    var connections: [LinkConnection] = [], last = ContinuousClock.now
    var (toNear, toFar) = (LinkFlow(), LinkFlow())
    while true {
      let (link, isOver, _) = state.withLock { $0 }
      if isOver { break }
      if link == .closed { connections = [] }
      if link == .silent { for connection in connections { connection.isSilent = true } }
      let now = ContinuousClock.now, passed = (now - last) / .seconds(1)
      toNear.pass(passed, link)
      toFar.pass(passed, link)
      last = now
      var allowance = (toNear: toNear.allowance(link), toFar: toFar.allowance(link))
      wait(for: connections, link, (allowance.toNear > 0, allowance.toFar > 0))
      guard link.carries else {
        if link == .closed { refuse() }
        continue
      }
      connections.removeAll { connection in
        guard let sent = connection.handOn(allowance) else { return true }
        allowance = (allowance.toNear - sent.toNear, allowance.toFar - sent.toFar)
        toNear.take(sent.toNear)
        toFar.take(sent.toFar)
        state.withLock { $0.carried += sent.toNear }
        return false
      }
      admit(&connections)
    }
    connections = []
    isDone.signal()
  }

  private func wait(for connections: [LinkConnection], _ link: LinkState, _ canSend: (toNear: Bool, toFar: Bool)) {
    var entries = [pollfd(fd: bell, events: Int16(POLLIN), revents: 0)]
    if link.carries || link == .closed { entries.append(pollfd(fd: listener, events: Int16(POLLIN), revents: 0)) }
    if link.carries { for connection in connections { entries += connection.events(canSend: canSend) } }
    let isWaitingForBucket = link.carries && !(canSend.toNear && canSend.toFar)
    _ = poll(&entries, nfds_t(entries.count), isWaitingForBucket ? Self.bucketPeriod : Self.period)
    var bytes = [UInt8](repeating: 0, count: 64)
    if entries[0].revents != 0 { _ = read(bell, &bytes, bytes.count) }
  }

  /// Closes a connection that somebody makes.
  private func refuse() {
    let client = accept(listener, nil, nil)
    if client >= 0 { close(client) }
  }

  /// Takes a connection, where there is one, and makes its other half.
  private func admit(_ connections: inout [LinkConnection]) {
    let client = accept(listener, nil, nil)
    guard client >= 0 else { return }
    guard connections.count < Self.connectionsMax, let server = try? LoopbackPort.connection(to: target) else {
      close(client)
      return
    }
    _ = fcntl(client, F_SETFD, FD_CLOEXEC)
    connections.append(LinkConnection(near: client, far: server))
  }
}
