import Foundation
import Glibc
import Host
import Rings
import RunModel
import Testing

@testable import Detectors
@testable import Spools

/// Frames of a scan that are written by one process and taken by another, while they come and after.
@Suite struct SpoolTests {
  private let folder: String
  private static let format = FrameFormat(rows: 3, columns: 5, pixel: .uint16)

  init() throws {
    folder = NSTemporaryDirectory() + "spool-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  private func removeFolder() { try? FileManager.default.removeItem(atPath: folder) }

  private func description() -> SpoolDescription {
    SpoolDescription(
      id: .random(), rows: 3, columns: 5, pixel: .uint16, firstFrame: 0, series: nil, announced: ScanAnnouncement(),
      began: 1)
  }

  private func header(_ number: UInt64) -> FrameHeader {
    var header = FrameHeader(number: number)
    (header.theta, header.key, header.timestamp) = (Double(number) / 3, .projection, 1e9 + Double(number))
    return header
  }

  private func image(_ number: UInt64) -> [UInt8] { (0..<30).map { UInt8(truncatingIfNeeded: number * 31 + $0) } }

  private func write(_ numbers: Range<UInt64>, to spool: SpoolWriter) throws {
    for number in numbers { try image(number).withUnsafeBytes { try spool.append(header(number), $0) } }
  }

  /// What a feed gives until it has nothing; whether it came to the end.
  private func taken(_ feed: SpoolFeed) throws -> (numbers: [UInt64], isEnded: Bool) {
    var numbers: [UInt64] = []
    while true {
      switch try feed.next(timeout: .milliseconds(20)) {
      case .frame(let header, let bytes):
        #expect(Array(bytes) == image(header.number))
        #expect(header == self.header(header.number))
        numbers.append(header.number)
      case .end: return (numbers, true)
      default: return (numbers, false)
      }
    }
  }

  @Test func `A reader has every frame as it came, while they come and when the scan has ended`() throws {
    defer { removeFolder() }
    let spool = try SpoolWriter(creating: folder, description())
    let feed = try SpoolFeed(folder: folder, format: Self.format)
    #expect(try taken(feed) == ([], false))
    try write(0..<40, to: spool)
    try spool.flush()
    #expect(try taken(feed) == (Array(0..<40), false))
    try write(40..<45, to: spool)
    try spool.markEnd()
    #expect(try taken(feed) == (Array(40..<45), true))
  }

  @Test func `A writer goes on where its predecessor died, and a reader behind what was published`() throws {
    defer { removeFolder() }
    do {
      let spool = try SpoolWriter(creating: folder, description())
      try write(0..<10, to: spool)
      try spool.flush()
    }
    let spool = try SpoolWriter(reopening: folder)
    try write(12..<20, to: spool)
    try spool.markEnd()
    let feed = try SpoolFeed(folder: folder, format: Self.format)
    try feed.resume(after: 8, last: 7)
    #expect(try taken(feed) == ([8, 9] + Array(12..<20), true))
    // The last one that was published is none of the spool's: one that the disk lost.
    let behind = try SpoolFeed(folder: folder, format: Self.format)
    try behind.resume(after: 12, last: 11)
    #expect(try taken(behind) == (Array(12..<20), true))
  }

  @Test func `A frame that is damaged on disk is told, not taken`() throws {
    defer { removeFolder() }
    let spool = try SpoolWriter(creating: folder, description())
    try write(0..<3, to: spool)
    try spool.markEnd()
    var metadata = [UInt8](repeating: 0, count: SpoolRecord.byteCount)
    let used = metadata.withUnsafeMutableBytes { SpoolRecord.encode(header(5), into: $0) }
    #expect(used == metadata.count)
    #expect(metadata.withUnsafeBytes { SpoolRecord.decode($0) } == header(5))
    for place in [7, 23, 35, 39, 43, 47] {
      var other = metadata
      other[place] = 0xFF
      #expect(other.withUnsafeBytes { SpoolRecord.decode($0) } == nil, "byte \(place)")
    }
    #expect(throws: SpoolError.self) {
      try SpoolFeed(folder: folder, format: FrameFormat(rows: 3, columns: 6, pixel: .uint16))
    }
    try FileManager.default.removeItem(atPath: SpoolDescription.path(in: folder))
    #expect(throws: SpoolError.self) { try SpoolFeed(folder: folder, format: Self.format) }
  }

  @Test func `A spool whose writer died before its first frame is given up, and the detector is listened to`() throws {
    defer { removeFolder() }
    _ = try SpoolWriter(creating: folder, description())
    var given: [String] = []
    let settings = ScanIntake.Settings(
      address: try DetectorAddress("zmq+pull://127.0.0.1:9"), channel: nil, expected: ScanAnnouncement(),
      silenceMax: .seconds(1))
    let intake = try ScanIntake(settings, unfinished: [folder]) {
      ""
    } noticed: {
      if case .gaveUp(let path, let reason) = $0 { given.append("\(path): \(reason)") }
    }
    try intake.step(timeout: .milliseconds(10))
    #expect(given.count == 1 && given[0].contains("holds no frame"), "\(given)")
  }

  @Test func `What was announced and did not come is lost, whatever ended the scan`() throws {
    defer { removeFolder() }
    let sender = try ZeroMQSender(try StreamAddress("zmq+push://127.0.0.1:0"), queueLength: 64, linger: .zero)
    var folders = [folder, folder + "/next"], ended: [SpoolDescription] = []
    let settings = ScanIntake.Settings(
      address: try DetectorAddress("zmq+pull://127.0.0.1:\(sender.address.port)"), channel: nil,
      expected: ScanAnnouncement(), silenceMax: .seconds(60))
    let intake = try ScanIntake(settings, unfinished: []) {
      try FileManager.default.createDirectory(atPath: folders[0], withIntermediateDirectories: true)
      return folders.removeFirst()
    } noticed: {
      if case .ended(_, let description) = $0 { ended.append(description) }
    }
    // Frame 3 and all from 8 on are missing when the next scan begins.
    for number in [0, 1, 2, 4, 5, 6, 7] as [UInt64] {
      try send(number, rows: 3, counts: #","projections":20,"flats":0,"darks":0"#, by: sender)
    }
    try send(0, rows: 2, by: sender)
    let deadline = Deadline(after: .seconds(10))
    while ended.isEmpty, !deadline.hasPassed { try intake.step(timeout: .milliseconds(20)) }
    #expect(ended.first?.projections == 20 && ended.first?.lost == 13 && ended.first?.ending == .format)
    // So says its run.
    let source = LiveSource(
      LiveSource.Configuration(
        format: Self.format, rows: 0..<3, binning: 1, darks: 0, flats: 0, thetas: (0..<20).map(Double.init),
        silenceMax: nil), feed: try SpoolFeed(folder: folder, format: Self.format)
    ) { _ in }
    let payload = UnsafeMutableRawBufferPointer.allocate(byteCount: 30, alignment: 8)
    let metadata = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 8)
    defer {
      payload.deallocate()
      metadata.deallocate()
    }
    steps: for _ in 0..<100 {
      switch try source.next(timeout: .milliseconds(20)) {
      case .frame(let frame): _ = try frame.write(into: payload, metadata: metadata)
      case .nothing: break
      case .end: break steps
      }
    }
    #expect(source.losses?.lost == 13)
  }

  @Test func `Frames of another sample are of another scan, whatever their numbers`() throws {
    defer { removeFolder() }
    let sender = try ZeroMQSender(try StreamAddress("zmq+push://127.0.0.1:0"), queueLength: 64, linger: .zero)
    let settings = ScanIntake.Settings(
      address: try DetectorAddress("zmq+pull://127.0.0.1:\(sender.address.port)"), channel: nil,
      expected: ScanAnnouncement(), silenceMax: .seconds(60))
    var folders = ["", "/b", "/c"].map { folder + $0 }, ended: [SpoolDescription] = [], lateCount = 0
    let intake = try ScanIntake(settings, unfinished: []) {
      try FileManager.default.createDirectory(atPath: folders[0], withIntermediateDirectories: true)
      return folders.removeFirst()
    } noticed: {
      if case .ended(_, let description) = $0 { ended.append(description) }
      if case .late(let count) = $0 { lateCount = count }
    }
    func take(_ isDone: () -> Bool) throws {
      let deadline = Deadline(after: .seconds(10))
      while !isDone(), !deadline.hasPassed { try intake.step(timeout: .milliseconds(20)) }
    }
    func send(_ numbers: [UInt64], _ sample: String) throws {
      for number in numbers {
        try self.send(
          number, rows: 3, counts: #","sample":"\#(sample)","projections":40,"flats":0,"darks":0"#, by: sender)
      }
    }
    // A receiver that was killed has taken 31 frames with it.
    try send([0] + Array(32..<40), "a")
    try take { ended.count == 1 }
    // They have the numbers that are missing, and are broken off. One of the scan before comes late.
    try send(Array(0..<6), "b")
    try send([5], "a")
    // The first ones were lost with a receiver.
    try send(Array(20..<26), "c")
    try take { ended.count == 2 }
    #expect(ended.map(\.announced.sample) == ["a", "b"] && ended.map(\.ending) == [.complete, .sample])
    #expect(ended.map(\.lost) == [31, 34] && lateCount == 1)
    try intake.leave()
    let feed = try SpoolFeed(folder: folder + "/c", format: Self.format)
    var numbers: [UInt64] = []
    while case .frame(let header, _) = try feed.next(timeout: .milliseconds(20)) { numbers.append(header.number) }
    #expect(numbers == Array(20..<26))
  }

  /// Sends a frame as a detector does.
  private func send(_ number: UInt64, rows: Int, counts: String = "", by sender: ZeroMQSender) throws {
    let head = #"{"htype":"array-1.0","shape":[\#(rows),5],"type":"uint16","frame":\#(number)\#(counts)}"#
    try Array(head.utf8).withUnsafeBytes { head in
      try image(number).prefix(rows * 10).withUnsafeBytes { try sender.send(head, $0, timeout: .seconds(5)) {} }
    }
  }

  @Test func `Who leaves takes what lies in the socket`() throws {
    defer { removeFolder() }
    let sender = try ZeroMQSender(try StreamAddress("zmq+push://127.0.0.1:0"), queueLength: 64, linger: .zero)
    let settings = ScanIntake.Settings(
      address: try DetectorAddress("zmq+pull://127.0.0.1:\(sender.address.port)"), channel: nil,
      expected: ScanAnnouncement(), silenceMax: .seconds(60))
    var begun: [String] = []
    let intake = try ScanIntake(settings, unfinished: []) {
      folder
    } noticed: {
      if case .began(let folder, _) = $0 { begun.append(folder) }
    }
    try send(0, rows: 3, by: sender)
    let deadline = Deadline(after: .seconds(10))
    while begun.isEmpty, !deadline.hasPassed { try intake.step(timeout: .milliseconds(20)) }
    #expect(begun == [folder])
    for number in 1..<30 as Range<UInt64> { try send(number, rows: 3, by: sender) }
    // They cross the socket meanwhile.
    usleep(300_000)
    try intake.leave()
    let feed = try SpoolFeed(folder: folder, format: Self.format)
    var numbers: [UInt64] = []
    while case .frame(let header, _) = try feed.next(timeout: .milliseconds(20)) { numbers.append(header.number) }
    #expect(numbers == Array(0..<30))
  }
}
