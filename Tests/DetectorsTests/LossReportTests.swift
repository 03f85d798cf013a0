import Foundation
import Rings
import RunModel
import Testing

@testable import Detectors

/// What programs read of losses: their keys stay as they are.
@Suite struct LossReportTests {
  private let ledger: LossLedger = {
    var ledger = LossLedger()
    for frame: UInt64 in [0, 4, 2, 2, 9] { _ = ledger.note(frame: frame) }
    ledger.notePublished(.projection, .interpolated)
    ledger.noteInvalid()
    ledger.noteMalformed(MessageFault.json.rawValue)
    ledger.noteMalformed(MessageFault.json.rawValue)
    ledger.noteMalformed(MessageFault.surplus.rawValue)
    return ledger
  }()

  private func text(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }

  @Test func `losses.json has all numbers side by side, with faults by name and gaps as the detector counts`() throws {
    let report = LossReport(ledger, firstFrame: 100)
    let json = """
      {"duplicates":1,"gaps":[[101,101],[103,103],[105,108]],"generated":0,"interpolated":1,"invalid":1,"late":1,"lost":6,\
      "malformed":{"more-images-than-announced":1,"no-json":2}}
      """
    #expect(try text(report) == json)
    #expect(try JSONDecoder().decode(LossReport.self, from: Data(json.utf8)) == report)
    #expect(report.counts.malformed == 3)
  }

  @Test func `What was left out has its keys and its facts where there is some`() throws {
    var ledger = ledger
    #expect(LossReport(ledger, firstFrame: 0).facts["empty_frames"] == nil)
    for frame: UInt64 in [4, 5, 9] { ledger.noteEmpty(.projection, frame: frame) }
    ledger.noteEmpty(.flat, frame: 0)
    let report = LossReport(ledger, firstFrame: 100)
    let json = try text(report)
    #expect(json.contains(#""emptyFlats":1,"emptyFrames":[[104,105],[109,109]],"emptyProjections":3"#), "\(json)")
    #expect(try JSONDecoder().decode(LossReport.self, from: Data(json.utf8)) == report)
    #expect(report.facts["empty_frames"] == "104-105 109" && report.facts["empty_projections"] == "3")
    #expect(report.emptyWords == "3 projections (104-105 109) and 1 flat fields")
    #expect(try text(ledger.losses).contains(#""empty":4"#))
  }

  @Test func `status.json has some of them, with messages that were dropped under that name`() throws {
    let json = #"{"dropped":3,"duplicates":1,"generated":0,"interpolated":1,"late":1,"lost":6}"#
    #expect(try text(ledger.losses) == json)
    let old = #"{"dropped":3,"duplicates":1,"late":1,"lost":6}"#
    let read = try JSONDecoder().decode(Losses.self, from: Data(old.utf8))
    #expect(read.lost == 6 && read.interpolated == 0 && read.generated == 0)
  }
}
