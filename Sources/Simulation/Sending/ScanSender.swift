package import Detectors
import Glibc
import Host
package import ScanFiles
import ScanPlan

/// Sends a scan as a detector does: darks, flats, then projections, as `array-1.0` over ZeroMQ, at a rate, and with
/// faults where they are asked for.
package final class ScanSender {
  /// What was sent.
  package struct SendReport: Codable, Equatable, Sendable {
    /// Where receivers connect.
    var address: String
    /// Messages with an image that were handed to the connection, or wait for one.
    package var sent: Int
    /// Numbers of the frames that were left out.
    package var dropped: [Int]
    /// Frames that were sent twice.
    package var duplicates: Int
    /// Projections for which the detector's memory had no place when they were due, and which are lost.
    package var overrun = 0
    /// From the first to the last projection.
    package var seconds: Double
    /// The order that ended the scan early; nil where all of it was sent.
    package var stoppedBy: String?
  }

  /// Ends the scan early.
  private struct Stopped: Error { let order: String }

  /// Where receivers connect, with the port that was found.
  package var address: StreamAddress { sender.address }

  private let reader: any ScanReader
  private let rounds: Int
  private let sender: ZeroMQSender
  private let rate: Double?
  private let memory: Int?
  private let faults: StreamFaults
  private let fieldsLast: Bool
  private let orders: ZeroMQResponder?
  /// Images that have been sent, and projections among them, repetitions included.
  private var (sent, projectionsSent) = (0, 0)
  /// The projection that lies in `image`: one that finds no room is offered again.
  private var loaded: Int?
  /// Projections that found no place in the memory.
  private var overrun = 0
  /// When the first projection was due, and when the last one was sent.
  private var (begun, ended): (ContinuousClock.Instant?, ContinuousClock.Instant?)
  private let image: UnsafeMutableRawBufferPointer
  /// The scan's projections, one after the other, where they are sent several times.
  private let images: LoadedImages?

  /// A receiver that takes nothing for so long is taken to be gone.
  private static let patience: Duration = .seconds(600)
  private static let queueLength = 64
  /// What a sender with a memory of its own leaves to the connection: its memory is to be what holds frames.
  private static let (shortQueueLength, shortBufferByteCount): (Int, Int32) = (2, 64 << 10)
  private static let imagesByteCountMax = 2 << 30

  /// Listens at `address`. The projections are sent `rounds` times, numbered on: a long scan from a short one. With
  /// `fieldsLast` darks and flats follow them. At `stopAddress` any message ends the scan: then what was not taken is
  /// not sent, as from a detector that is disarmed.
  ///
  /// With `memory` projections are measured at `rate`, whether or not somebody takes them: so many wait for the
  /// connection, and one that is due while all places are taken is lost. Without it the sender waits.
  package init(
    _ reader: any ScanReader, address: StreamAddress, rate: Double?, rounds: Int, faults: StreamFaults,
    fieldsLast: Bool = false, memory: Int? = nil, stopAddress: StreamAddress? = nil
  ) throws {
    precondition(memory == nil || rate != nil && address.pattern == .push, "a memory without a rate")
    let info = reader.info
    guard [info.flatPixel, info.darkPixel].allSatisfy({ $0 == info.pixel }) || info.flatCount + info.darkCount == 0
    else {
      throw ScanFailure(
        .data,
        "\(info.path): flats and darks are not \(info.pixel.rawValue) as the projections are, which a stream needs")
    }
    (self.reader, self.rounds, self.rate, self.faults, self.fieldsLast) = (reader, rounds, rate, faults, fieldsLast)
    self.memory = memory
    let byteCount = info.rows * info.columns * info.pixel.byteCount
    image = .allocate(byteCount: byteCount, alignment: 4096)
    orders = try stopAddress.map { address throws(StreamError) in try ZeroMQResponder(address) }
    images = rounds > 1 ? try Self.load(reader, byteCount) : nil
    sender = try ZeroMQSender(
      address, queueLength: memory == nil ? Self.queueLength : Self.shortQueueLength,
      bufferByteCount: memory == nil ? nil : Self.shortBufferByteCount, linger: Self.patience)
  }

  deinit { image.deallocate() }

  private static func load(_ reader: any ScanReader, _ byteCount: Int) throws -> LoadedImages {
    let (size, overflows) = byteCount.multipliedReportingOverflow(by: reader.info.projectionCount)
    guard !overflows, size <= imagesByteCountMax else {
      throw ScanFailure(
        .data,
        "\(reader.info.path) is too large to be sent more than once: its projections have to fit into "
          + "\(bytes(imagesByteCountMax))"
      )
    }
    let images = LoadedImages(count: reader.info.projectionCount, byteCount: byteCount)
    for index in 0..<reader.info.projectionCount {
      try reader.readProjection(index, rows: 0..<reader.info.rows, into: images[index])
    }
    return images
  }

  /// Sends everything and its end. `check` is called before every image, and while a receiver is awaited; it ends the
  /// scan by throwing.
  package func send(check: (Int) throws -> Void) throws -> SendReport {
    let scheduled = reader.info.projectionCount * rounds
    let (schedule, dropped) = faults.schedule(count: scheduled)
    var report = SendReport(address: "\(address)", sent: 0, dropped: dropped, duplicates: 0, seconds: 0)
    (sent, overrun, begun, ended) = (0, 0, nil, nil)
    do {
      try send(schedule, of: scheduled) { position in
        try check(position)
        if let order = try orders?.order(reply: #"{"stopped":true}"#) { throw Stopped(order: order) }
      }
    } catch let stopped as Stopped {
      report.stoppedBy = stopped.order
      try sender.abandon()
      let past = schedule.prefix(projectionsSent).max() ?? -1
      report.dropped = dropped.filter { $0 < past }
    }
    report.dropped = report.dropped.map { (fieldsLast ? 0 : fieldCount) + $0 }
    report.duplicates = projectionsSent - Set(schedule.prefix(projectionsSent)).count
    (report.sent, report.overrun) = (sent, overrun)
    if let begun { report.seconds = ((ended ?? .now) - begun) / .seconds(1) }
    return report
  }

  private var fieldCount: Int { reader.info.darkCount + reader.info.flatCount }

  private func send(_ schedule: [Int], of scheduled: Int, _ check: (Int) throws -> Void) throws {
    let (firstField, firstProjection) = fieldsLast ? (scheduled, 0) : (0, fieldCount)
    projectionsSent = 0
    try sender.awaitReceiver(timeout: Self.patience) { try check(0) }
    if !fieldsLast { try sendFields(from: firstField, check) }
    begun = .now
    if let memory, let rate {
      try measure(schedule, from: firstProjection, memory: memory, rate: rate, check)
    } else {
      try sendInTurn(schedule, from: firstProjection, check)
    }
    ended = .now
    if fieldsLast { try sendFields(from: firstField, check) }
    try send(#"{"htype":"array_end-1.0","frames":\#(fieldCount + scheduled)}"#, nil, position: schedule.count, check)
  }

  /// Sends one projection after the other, each when it is due and somebody takes it.
  private func sendInTurn(_ schedule: [Int], from first: Int, _ check: (Int) throws -> Void) throws {
    var due = ContinuousClock.now
    for (position, index) in schedule.enumerated() {
      if position == schedule.count / 2, faults.stall > 0 {
        try pause(until: .now + .seconds(faults.stall), position, check)
      }
      try pause(until: due, position, check)
      try send(.projection, index, number: first + index, check)
      projectionsSent += 1
      if let rate { due = max(due + .seconds(1 / rate), .now - .milliseconds(100)) }
    }
  }

  /// Measures one projection after the other, each when it is due, and sends what is in the memory as it is taken. Ends
  /// when the memory is empty; where nobody takes anything for the sender's patience, with an error. The first one
  /// waits for a receiver, as whoever starts a detector does.
  private func measure(
    _ schedule: [Int], from first: Int, memory: Int, rate: Double, _ check: (Int) throws -> Void
  ) throws {
    guard let index = schedule.first else { return }
    try send(.projection, index, number: first + index, check)
    projectionsSent += 1
    var waiting = FrameMemory(capacity: memory), taken = ContinuousClock.now, due = taken + .seconds(1 / rate)
    func hand(on position: Int) throws {
      try check(position)
      while let index = waiting.first, try offer(index, number: first + index) {
        waiting.removeFirst()
        taken = .now
      }
    }
    func pause(until end: ContinuousClock.Instant, _ position: Int) throws {
      while true {
        try hand(on: position)
        let left = end - .now
        if left <= .zero { return }
        usleep(UInt32(min(left, waiting.first == nil ? .milliseconds(200) : .milliseconds(1)) / .microseconds(1)))
      }
    }
    for (position, index) in schedule.enumerated().dropFirst() {
      if position == schedule.count / 2, faults.stall > 0 { try pause(until: .now + .seconds(faults.stall), position) }
      try pause(until: due, position)
      if !waiting.append(index) { overrun += 1 }
      due = max(due + .seconds(1 / rate), .now - .milliseconds(100))
    }
    while waiting.first != nil {
      try pause(until: .now + .milliseconds(1), schedule.count)
      guard ContinuousClock.now - taken < Self.patience else {
        throw StreamError.notTaken(address: "\(address)", after: Self.patience)
      }
    }
  }

  /// Sends a projection where the connection has room now; false where it has none.
  private func offer(_ index: Int, number: Int) throws -> Bool {
    let (target, owner) = try read(.projection, index)
    var header = header(.projection, index, number: number)
    let isSent = try header.withUTF8 { text in
      try sender.offer(UnsafeRawBufferPointer(text), UnsafeRawBufferPointer(target), of: owner)
    }
    guard isSent else { return false }
    (sent, projectionsSent) = (sent + 1, projectionsSent + 1)
    return true
  }

  private func sendFields(from first: Int, _ check: (Int) throws -> Void) throws {
    let info = reader.info
    for index in 0..<info.darkCount { try send(.dark, index, number: first + index, check) }
    for index in 0..<info.flatCount { try send(.flat, index, number: first + info.darkCount + index, check) }
  }

  private func pause(until due: ContinuousClock.Instant, _ position: Int, _ check: (Int) throws -> Void) throws {
    while true {
      try check(position)
      let left = due - .now
      if left <= .zero { return }
      usleep(UInt32(min(left, .milliseconds(200)) / .microseconds(1)))
    }
  }

  private func send(_ key: ImageKey, _ index: Int, number: Int, _ check: (Int) throws -> Void) throws {
    let (target, owner) = try read(key, index)
    try send(
      header(key, index, number: number), UnsafeRawBufferPointer(target), of: owner, position: number, check)
    sent += 1
  }

  /// The pixels of an image, and who keeps them where they stay as they are.
  private func read(_ key: ImageKey, _ index: Int) throws -> (UnsafeMutableRawBufferPointer, LoadedImages?) {
    let info = reader.info
    switch key {
    case .dark: try reader.readDark(index, rows: 0..<info.rows, into: image)
    case .flat: try reader.readFlat(index, rows: 0..<info.rows, into: image)
    default:
      let projection = index % info.projectionCount
      if let images { return (images[projection], images) }
      if projection == loaded { break }
      loaded = nil
      try reader.readProjection(projection, rows: 0..<info.rows, into: image)
      loaded = projection
      return (image, nil)
    }
    if key != .projection { loaded = nil }
    return (image, nil)
  }

  private func header(_ key: ImageKey, _ index: Int, number: Int) -> String {
    let info = reader.info
    let theta = key == .projection ? #","theta":\#(Self.degrees(info.thetas[index % info.projectionCount]))"# : ""
    return
      #"{"htype":"array-1.0","shape":[\#(info.rows),\#(info.columns)],"type":"\#(info.pixel.rawValue)","frame":\#(number)"#
      + #","image_key":\#(key.rawValue)\#(theta),"timestamp":\#(Double(Machine.realtimeNanoseconds) / 1e9)}"#
  }

  private func send(
    _ header: String, _ image: UnsafeRawBufferPointer?, of owner: LoadedImages? = nil, position: Int,
    _ check: (Int) throws -> Void
  ) throws {
    var header = header
    try header.withUTF8 { text in
      try sender.send(UnsafeRawBufferPointer(text), image, of: owner, timeout: Self.patience) { try check(position) }
    }
  }

  /// The degrees that become exactly these radians again, where there are any.
  private static func degrees(_ radians: Double) -> Double {
    let near = radians * 180 / .pi
    let candidates = [near, near.nextUp, near.nextDown, near.nextUp.nextUp, near.nextDown.nextDown]
    return candidates.first { $0 * .pi / 180 == radians } ?? near
  }
}

/// Images that are sent again and again from where they lie. The sender keeps them until the last one is gone.
private final class LoadedImages {
  private let memory: UnsafeMutableRawBufferPointer
  private let byteCount: Int

  init(count: Int, byteCount: Int) {
    memory = .allocate(byteCount: count * byteCount, alignment: 4096)
    self.byteCount = byteCount
  }

  deinit { memory.deallocate() }

  subscript(_ index: Int) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: memory[index * byteCount..<(index + 1) * byteCount])
  }
}
