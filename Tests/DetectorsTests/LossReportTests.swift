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
    ledger.notePublished(.projection, isInterpolated: true)
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
      {"duplicates":1,"gaps":[[101,101],[103,103],[105,108]],"interpolated":1,"invalid":1,"late":1,"lost":6,\
      "malformed":{"more-images-than-announced":1,"no-json":2}}
      """
    #expect(try text(report) == json)
    #expect(try JSONDecoder().decode(LossReport.self, from: Data(json.utf8)) == report)
    #expect(report.counts.malformed == 3)
  }

  @Test func `status.json has four of them, with messages that were dropped under that name`() throws {
    #expect(try text(ledger.losses) == #"{"dropped":3,"duplicates":1,"late":1,"lost":6}"#)
  }
}
