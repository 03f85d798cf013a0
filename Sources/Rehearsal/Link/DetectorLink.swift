import Foundation
import Glibc
import Host
import Synchronization

/// The link between a virtual detector and a run: what connects to its own port on the loopback address is handed on to
/// the detector's, as quickly as the link carries it. It needs no privileges.
///
/// ```
/// run ──► port │ piece of 64 KiB ◄── bucket │ detector's port
/// ```
/// What is under way is bounded: a piece and two buffers of the kernel for each direction. The rest waits at whoever
/// sends.
final class DetectorLink {
  /// Where the run connects.
  let port: UInt16
  private let loop: LinkLoop

  /// A link to the detector at port `target` of this machine, which carries what comes.
  init(to target: UInt16) throws {
    loop = try LinkLoop(target)
    port = loop.port
    let loop = loop
    Thread.detachNewThread { loop.run() }
  }

  deinit { loop.end() }

  /// What it does from now on.
  func set(_ state: LinkFlow.State) { loop.set(state) }

  /// Bytes that went from the detector to the run so far.
  var carried: Int { loop.carried }
}

/// The thread that hands on.
private final class LinkLoop: Sendable {
  let port: UInt16
  private let target: UInt16
  private let listener: Int32
  /// What is written to the second wakes whoever waits for the first.
  private let (bell, ringer): (Int32, Int32)
  private let state = Mutex((link: LinkFlow.State.free, isOver: false, carried: 0))
  private let isDone = DispatchSemaphore(value: 0)

  private static let connectionsMax = 8
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

  func set(_ link: LinkFlow.State) {
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
    var connections: [LinkConnection] = [], flow = LinkFlow(), last = ContinuousClock.now
    while true {
      let (link, isOver, _) = state.withLock { $0 }
      if isOver { break }
      let now = ContinuousClock.now
      flow.pass((now - last) / .seconds(1), link)
      last = now
      let allowance = flow.allowance(link)
      wait(for: connections, link, allowance)
      guard link != .down else { continue }
      var left = allowance
      connections.removeAll { connection in
        guard let sent = connection.handOn(allowance: left) else { return true }
        left -= sent
        flow.take(sent)
        state.withLock { $0.carried += sent }
        return false
      }
      admit(&connections)
    }
    connections = []
    isDone.signal()
  }

  private func wait(for connections: [LinkConnection], _ link: LinkFlow.State, _ allowance: Int) {
    var entries = [pollfd(fd: bell, events: Int16(POLLIN), revents: 0)]
    if link != .down {
      entries.append(pollfd(fd: listener, events: Int16(POLLIN), revents: 0))
      for connection in connections { entries += connection.events(canSend: allowance > 0) }
    }
    let isWaitingForBucket = allowance == 0 && link != .down
    _ = poll(&entries, nfds_t(entries.count), isWaitingForBucket ? Self.bucketPeriod : Self.period)
    var bytes = [UInt8](repeating: 0, count: 64)
    if entries[0].revents != 0 { _ = read(bell, &bytes, bytes.count) }
  }

  /// Takes a connection of the run, where there is one, and makes its other half.
  private func admit(_ connections: inout [LinkConnection]) {
    let client = accept(listener, nil, nil)
    guard client >= 0 else { return }
    guard connections.count < Self.connectionsMax, let server = try? LoopbackPort.connection(to: target) else {
      close(client)
      return
    }
    _ = fcntl(client, F_SETFD, FD_CLOEXEC)
    connections.append(LinkConnection(run: client, detector: server))
  }
}
