import Glibc
import Host
import Testing

@testable import Rehearsal

/// Links that carry everything, nothing, or only so much.
@Suite(.serialized) final class LoopbackLinkTests {
  private let link: LoopbackLink
  private let listener: Int32
  private var (run, detector): (Int32, Int32) = (-1, -1)

  init() throws {
    let port: UInt16
    (listener, port) = try LoopbackPort.bound()
    try #require(listen(listener, 4) == 0)
    link = try LoopbackLink(to: port)
    run = try #require(try LoopbackPort.connection(to: link.port))
    detector = accept(listener, nil, nil)
    try #require(detector >= 0)
    for end in [run, detector] { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
  }

  deinit { for descriptor in [run, detector, listener] { close(descriptor) } }

  /// Sends as much as is taken for some time; gives how much.
  private func push(for time: Duration) -> Int {
    let bytes = [UInt8](repeating: 7, count: 1 << 16), deadline = Deadline(after: time)
    var count = 0
    while !deadline.hasPassed {
      let sent = send(detector, bytes, bytes.count, Int32(MSG_NOSIGNAL))
      if sent > 0 { count += sent } else { usleep(1000) }
    }
    return count
  }

  /// Takes bytes at the run's end until there are so many, or the time is over; gives how many.
  private func take(_ wanted: Int, within time: Duration) -> Int {
    var bytes = [UInt8](repeating: 0, count: 1 << 16), count = 0
    let deadline = Deadline(after: time)
    while count < wanted, !deadline.hasPassed {
      let read = recv(run, &bytes, bytes.count, 0)
      if read > 0 { count += read } else { usleep(1000) }
    }
    return count
  }

  @Test func `A free link carries everything, in both directions`() throws {
    let sent = push(for: .milliseconds(50))
    #expect(sent > 0)
    // What is under way at first may be all that was taken.
    #expect(take(sent, within: .seconds(20)) == sent && link.carried == sent)
    #expect(send(run, [1, 2, 3] as [UInt8], 3, 0) == 3)
    var bytes = [UInt8](repeating: 0, count: 8)
    #expect(try Poll.wait(readable: [detector], timeout: .seconds(20)) == [detector])
    let count = recv(detector, &bytes, bytes.count, 0)
    #expect(count == 3 && bytes.prefix(3) == [1, 2, 3])
  }

  @Test func `A link that is down carries nothing, holds little, and loses nothing`() {
    #expect(push(for: .milliseconds(1)) > 0)
    link.set(.down)
    usleep(50_000)
    let before = link.carried
    let sent = push(for: .milliseconds(200))
    #expect(link.carried == before)
    // The kernel holds some megabytes at the sender.
    #expect(sent < 32 << 20, "\(sent)")
    link.set(.free)
    let all = take(.max, within: .milliseconds(1500))
    #expect(all >= sent && link.carried == all)
  }

  @Test func `A limited link carries its rate, whatever is sent`() {
    link.set(.limited(bytesPerSecond: 500_000))
    usleep(20_000)
    let start = ContinuousClock.now
    _ = push(for: .milliseconds(100))
    // Of what it may carry in a second a busy machine may miss some, and no machine makes it more.
    _ = take(.max, within: .milliseconds(900))
    let limit = ((.now - start) / .seconds(1) + 0.1) * 500_000
    #expect(Double(link.carried) <= limit && link.carried > 100_000, "\(link.carried) of \(limit)")
  }

  @Test func `What a detector said before it closed arrives`() throws {
    let text = [UInt8]("the end".utf8)
    #expect(send(detector, text, text.count, 0) == text.count)
    shutdown(detector, Int32(SHUT_WR))
    #expect(take(text.count, within: .seconds(20)) == text.count)
    var byte: UInt8 = 0
    #expect(try Poll.wait(readable: [run], timeout: .seconds(20)) == [run])
    #expect(recv(run, &byte, 1, 0) == 0)
  }

  @Test func `A bucket holds a moment of its rate`() {
    var flow = LinkFlow()
    let state = LinkState.limited(bytesPerSecond: 1_000_000)
    flow.pass(100, state)
    #expect(flow.allowance(state) == 20_000)
    flow.take(15_000)
    flow.pass(0.001, state)
    #expect(flow.allowance(state) == 6_000 && flow.allowance(.down) == 0 && flow.allowance(.free) == .max)
  }
}
