import Glibc
import Host
import ScanPlan
import Synchronization

/// What a server serves. Everything is called on the server's thread.
protocol Site: AnyObject {
  /// The answer to a request; `viewers` clients get events at present.
  func respond(to request: Request, viewers: Int) -> Response
  /// Called several times a second; an event that every client of `EventStream.own` should have now, nil for none.
  func tick(viewers: Int) -> [UInt8]?
  /// Called before `events`, several times a second, with the number of clients of each other stream.
  func prepare(streams: [String: Int])
  /// What a client of another stream should have now, and the position that it has then; nil for nothing.
  func events(after position: Int, on channel: String) -> (bytes: [UInt8], position: Int)?
}

extension Site {
  func prepare(streams: [String: Int]) {}
  func events(after position: Int, on channel: String) -> (bytes: [UInt8], position: Int)? { nil }
}

/// A small HTTP/1.1 server on one thread of its own: a fixed number of connections, requests of a fixed size, and a
/// limit on every wait, so that nothing that clients do can use up what the run needs.
final class Server: Sendable {
  private let listener: Listener
  private let wake: (read: Int32, write: Int32)
  private let stopAt = Mutex<ContinuousClock.Instant?>(nil)
  private let thread: Mutex<pthread_t?>

  /// Where it listens.
  var address: DashboardAddress { listener.address }

  /// Connections at the same time. One more takes the place of one that is idle, or is turned away.
  static let connectionsMax = connectionsMax(descriptorsMax: descriptorsMax)

  /// A quarter of the descriptors that the process may have, 256 at most: the run needs some, to start a stage again
  /// for example.
  static func connectionsMax(descriptorsMax: Int) -> Int { min(256, max(1, descriptorsMax / 4)) }

  /// RLIMIT_NOFILE, soft.
  private static var descriptorsMax: Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
    return Int(clamping: limit.rlim_cur)
  }

  private static let tick: Duration = .milliseconds(100)
  /// After the process has no descriptor left for a client.
  private static let acceptPause: Duration = .seconds(1)
  private static let acceptedPerTurn = 32

  /// Serves `site` on `listener`, from the time that it returns.
  init(_ listener: Listener, site: @escaping @Sendable () -> any Site) throws(ScanFailure) {
    self.listener = listener
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else {
      throw ScanFailure(.unavailable, "no dashboard: pipe: \(String(cString: strerror(errno)))")
    }
    for end in ends { Self.prepare(end) }
    wake = (ends[0], ends[1])
    thread = Mutex(nil)
    let start = Unmanaged.passRetained(Start(server: self, site: site))
    var thread = pthread_t()
    let error = pthread_create(
      &thread, nil,
      { argument in
        // Sound: the argument is the retained object that was passed below, or nothing is done.
        if let argument { Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, start.toOpaque())
    guard error == 0 else {
      start.release()
      throw ScanFailure(.unavailable, "no dashboard: pthread_create: \(String(cString: strerror(error)))")
    }
    let id = thread
    self.thread.withLock { $0 = id }
  }

  deinit {
    close(wake.read)
    close(wake.write)
  }

  /// Ends the server and waits for its thread. Clients that get events have up to `grace` to ask for what the last one
  /// tells of.
  func stop(grace: Duration) {
    stopAt.withLock { $0 = .now + grace }
    var byte: UInt8 = 0
    // The pipe is never full: one byte is written in its life. Were it, the thread would see the time at its next turn.
    _ = write(wake.write, &byte, 1)
    let id = thread.withLock { thread in
      defer { thread = nil }
      return thread
    }
    if let id { pthread_join(id, nil) }
  }

  private final class Start: @unchecked Sendable {
    private let server: Server
    private let site: @Sendable () -> any Site

    init(server: Server, site: @escaping @Sendable () -> any Site) {
      self.server = server
      self.site = site
    }

    func run() { server.run(site()) }
  }

  private func run(_ site: any Site) {
    var connections: [Connection] = []
    defer { for connection in connections { close(connection.descriptor) } }
    var acceptsFrom = ContinuousClock.now
    var tickDue = ContinuousClock.now
    while true {
      let ready = wait(for: connections, accepting: acceptsFrom <= .now)
      let now = ContinuousClock.now
      let viewers = connections.count { $0.getsEvents }
      for index in connections.indices.reversed() {
        let next = serve(&connections[index], events: ready.connections[index], now) {
          site.respond(to: $0, viewers: viewers)
        }
        if next == .ends { close(connections.remove(at: index).descriptor) }
      }
      if ready.hasClients, !accept(into: &connections, now) { acceptsFrom = now + Self.acceptPause }
      if now >= tickDue {
        tickDue = now + Self.tick
        listener.identity?.refresh(now)
        broadcast(site, &connections, now)
      }
      // The last event is on its way; who has it asks for what it tells of within the grace.
      if let end = stopAt.withLock({ $0 }), now >= end || !connections.contains(where: \.getsEvents) { return }
    }
  }

  private func wait(for connections: [Connection], accepting: Bool) -> (connections: [Int16], hasClients: Bool) {
    var entries = [pollfd(fd: wake.read, events: Int16(POLLIN), revents: 0)]
    entries.append(pollfd(fd: accepting ? listener.descriptor : -1, events: Int16(POLLIN), revents: 0))
    for connection in connections {
      let events = (connection.listens ? Int16(POLLIN) : 0) | (connection.waitsToSend ? Int16(POLLOUT) : 0)
      entries.append(pollfd(fd: connection.descriptor, events: events, revents: 0))
    }
    // A failure is an interruption: nothing is ready then.
    guard poll(&entries, nfds_t(entries.count), Int32(Self.tick / .milliseconds(1))) > 0 else {
      return (connections.map { _ in 0 }, false)
    }
    if entries[0].revents != 0 {
      var byte: UInt8 = 0
      _ = read(wake.read, &byte, 1)
    }
    return (entries.dropFirst(2).map(\.revents), entries[1].revents != 0)
  }

  private func serve(
    _ connection: inout Connection, events: Int16, _ now: ContinuousClock.Instant, respond: (Request) -> Response
  ) -> Connection.Next {
    if events & Int16(POLLOUT) != 0, connection.goOn(now: now, respond: respond) == .ends { return .ends }
    if events & Int16(POLLIN | POLLHUP | POLLERR) != 0 {
      // One whose output waits is not read, so a broken connection is noticed by its deadline or by the next send.
      guard connection.listens else { return events & Int16(POLLHUP | POLLERR) != 0 ? .ends : .goesOn }
      return connection.receive(now: now, respond: respond)
    }
    guard now >= connection.deadline else { return .goesOn }
    if connection.isIdle || connection.hasOutput || connection.getsEvents { return .ends }
    connection.refuse(408)
    return connection.send(now: now)
  }

  /// False where no descriptor is left for a client.
  private func accept(into connections: inout [Connection], _ now: ContinuousClock.Instant) -> Bool {
    for _ in 0..<Self.acceptedPerTurn {
      let descriptor = Glibc.accept(listener.descriptor, nil, nil)
      guard descriptor >= 0 else { return ![EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(errno) }
      Self.prepare(descriptor)
      if connections.count >= Self.connectionsMax {
        guard let idle = connections.firstIndex(where: \.isIdle) else {
          close(descriptor)
          continue
        }
        close(connections.remove(at: idle).descriptor)
      }
      // Events are small and late ones are worthless.
      Self.set(TCP_NODELAY, 1, descriptor)
      // What was sent to a client that is no longer there counts as taken, until the system says that nothing arrived.
      Self.set(TCP_USER_TIMEOUT, Int32(Connection.outputLimit / .milliseconds(1)), descriptor)
      guard let identity = listener.identity else {
        connections.append(Connection(descriptor: descriptor, now: now))
        continue
      }
      guard let session = identity.session() else {
        close(descriptor)
        continue
      }
      connections.append(Connection(descriptor: descriptor, tls: session, now: now))
    }
    return true
  }

  /// Sets an option of TCP. Where it cannot be had the connection does without.
  private static func set(_ option: Int32, _ value: Int32, _ descriptor: Int32) {
    var value = value
    setsockopt(descriptor, Int32(IPPROTO_TCP), option, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  /// Neither waited for nor inherited. Stages are started with their first three descriptors only, so it does not
  /// matter that one could be between the two calls.
  private static func prepare(_ descriptor: Int32) {
    let isSet = fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0 && fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0
    precondition(isSet, "fcntl of an open descriptor: \(Errno.current)")
  }

  private func broadcast(_ site: any Site, _ connections: inout [Connection], _ now: ContinuousClock.Instant) {
    let channels = Dictionary(grouping: connections.compactMap(\.stream), by: \.channel).mapValues(\.count)
    let own = site.tick(viewers: channels[EventStream.own.channel] ?? 0)
    site.prepare(streams: channels)
    for index in connections.indices.reversed() where !connections[index].hasOutput {
      guard let stream = connections[index].stream else { continue }
      let event =
        stream.channel == EventStream.own.channel
        ? own.map { ($0, 0) } : site.events(after: stream.position, on: stream.channel)
      let next =
        if let event { connections[index].send(event: event.0, position: event.1, now: now) } else {
          connections[index].keepAlive(now: now)
        }
      if next == .ends { close(connections.remove(at: index).descriptor) }
    }
  }
}
