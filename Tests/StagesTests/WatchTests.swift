import Alarms
import Foundation
import Glibc
import Host
import Rings
import TestSupport
import Testing

@testable import Stages

/// What `watch` sees, and the programs that it asks and tells.
@Suite struct WatchTests {
  @Test func `The brighter side is the beam, and rows without it are dead`() throws {
    let rows = (0..<64).map { _ in (left: 900.0, right: 1000.0) }
    #expect(try #require(BeamLook.figures(rows, rows: 128)) == .init(intensity: 1000, deadRows: 0))
    var dead = rows
    for row in 0..<4 { dead[row] = (left: 20, right: 0) }
    #expect(try #require(BeamLook.figures(dead, rows: 128)).deadRows == 8)
    dead[5] = (left: .nan, right: 4)
    #expect(try #require(BeamLook.figures(dead, rows: 128)).deadRows == 10)
    // A beam that is gone kills no rows.
    #expect(BeamLook.figures(rows.map { _ in (0, 0) }, rows: 128) == .init(intensity: 0, deadRows: 0))
    #expect(BeamLook.figures([], rows: 128) == nil && BeamLook.figures([(.nan, .nan)], rows: 1) == nil)
  }

  @Test(arguments: PixelType.allCases) func `An image in its ring shows the beam beside the sample`(
    pixel: PixelType
  ) throws {
    let runID = RunID.random(), (rows, columns) = (200, 64), byteCount = rows * columns * pixel.byteCount
    let specification = RingSpecification(
      runID: runID, topic: 1, partition: 0, slotCount: 4, payloadCapacity: byteCount, requiredReaders: 0,
      whenFull: .wait, spillSlotCount: 0, firstSequence: 0, firstChain: 0, firstEpoch: 0)
    let name = "slipring-test-\(runID)"
    let ring = try Ring.create(name: name, specification: specification, node: 0)
    defer { _ = try? SharedRegion.unlink(name: name) }
    let writer = try RingWriter(ring: ring, epoch: ring.grantEpoch())
    let claim = try writer.claim(timeout: .seconds(1))
    for row in 0..<rows {
      for column in 0..<columns {
        // A sample in the middle, and three dead rows.
        let value = row % 80 == 7 ? 0 : (8..<56).contains(column) ? 10 : 200
        let place = (row * columns + column) * pixel.byteCount
        switch pixel {
        case .uint8: claim.payload.storeBytes(of: UInt8(value), toByteOffset: place, as: UInt8.self)
        case .uint16: claim.payload.storeBytes(of: UInt16(value), toByteOffset: place, as: UInt16.self)
        case .uint32: claim.payload.storeBytes(of: UInt32(value), toByteOffset: place, as: UInt32.self)
        case .float32: claim.payload.storeBytes(of: Float(value), toByteOffset: place, as: Float.self)
        }
      }
    }
    try writer.commit(
      claim,
      EventFields(
        kind: .projection, payloadByteCount: byteCount, theta: 0, projection: 0, rows: rows, columns: columns,
        pixel: pixel))
    let observer = RingObserver(ring: ring)
    let header = try #require(try observer.latest()).header
    var look = BeamLook()
    let figures = look.look(at: header, in: observer)
    // Rows 0, 4, 8 … are looked at, of which none is dead.
    #expect(figures == .init(intensity: 200, deadRows: 0))
  }

  @Test func `Pressure and counters are read as the kernel writes them, and what is none is nothing`() {
    let pressure = "some avg10=12.50 avg60=3.00 avg300=1.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
    #expect(MachineFigures.pressure(pressure) == 12.5 && MachineFigures.pressure("none") == nil)
    let table = "Udp: InDatagrams RcvbufErrors\nUdp: 7 5\nTcp: A\nTcp: 1\n"
    #expect(MachineFigures.counter(table, "Udp:", ["RcvbufErrors"]) == 5)
    #expect(MachineFigures.counter("Udp: A\n", "Udp:", ["A"]) == 0 && MachineFigures.counter("", "Udp:", ["A"]) == 0)
  }

  private func script(_ folder: TestFolder, _ text: String) throws -> String {
    let path = folder.file("program-\(text.utf8.count)")
    try ("#!/bin/sh\n" + text + "\n").write(toFile: path, atomically: true, encoding: .utf8)
    try #require(chmod(path, 0o700) == 0)
    return path
  }

  private let order = HookRunner.HookOrder(
    run: "r", trigger: "t", state: "begins", severity: "warning", gauge: "rate", value: 1, forecast: nil, time: 2,
    evidence: 3, text: "words")

  private func start(_ path: String, _ input: Int32?, _ output: Int32?) throws -> ChildProcess {
    try ChildProcess(executable: path, arguments: [], standardInput: input, standardOutput: output)
  }

  @Test func `A hook gets its alarm once, and one that fails three times`() throws {
    let folder = try TestFolder()
    let (told, failed) = (folder.file("told"), folder.file("failed"))
    var notices: [String] = []
    let hooks = HookRunner(start: { try start($0, $1, nil) }, noticed: { notices.append($0) })
    hooks.add(try script(folder, "cat >> \(told)"), order)
    hooks.add(try script(folder, "echo x >> \(failed); exit 3"), order)
    hooks.add("/nowhere/at/all", order)
    let deadline = Deadline(after: .seconds(30))
    while !hooks.isIdle, !deadline.hasPassed {
      hooks.turn()
      usleep(10_000)
    }
    let object = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: told))) as? [String: Any]
    #expect(object?["trigger"] as? String == "t" && object?["evidence"] as? Int == 3)
    #expect(try String(contentsOfFile: failed, encoding: .utf8) == "x\nx\nx\n")
    #expect(notices.count == 6 && notices[2].contains("exited with 3, try 3 of 3"), "\(notices)")
  }

  @Test func `A program answers for its gauge, and one that does not is not asked for long`() throws {
    let folder = try TestFolder()
    var notices: [String] = []
    let sums = try script(folder, "while read line; do set -- $line; echo $(( $# - 15 )); done")
    let model = ProgramModel(sums, start: { try start($0, $1, $2) }, noticed: { notices.append($0) })
    for _ in 0..<5 { #expect(model.look(1) == nil) }
    model.isLive = true
    var answers: [Double] = []
    for _ in 0..<400 where answers.count < 2 {
      if let forecast = model.look(1)?.forecast { answers.append(forecast) }
      usleep(20_000)
    }
    // After ten and more values with the five before.
    #expect(
      answers.count == 2 && answers[0] >= 0 && answers[1] > answers[0] && notices.isEmpty, "\(answers) \(notices)")
    let silent = ProgramModel(
      try script(folder, "cat > /dev/null"), start: { try start($0, $1, $2) }, noticed: { notices.append($0) })
    silent.isLive = true
    for _ in 0..<200 { #expect(silent.look(1) == nil) }
    #expect(notices.count == 3 && notices[2].hasSuffix("it is not asked any more"), "\(notices)")
  }
}
