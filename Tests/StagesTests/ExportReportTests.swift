import Foundation
import RunModel
import Testing

@testable import Stages

/// What programs read of an export: its keys stay as they are.
@Suite struct ExportReportTests {
  @Test func `export.json has the counts of pixels beside the rest`() throws {
    let report = ExportReport(
      outputs: ["a.tiff"], isChecked: true, volumeSHA256: "ab", denoisedSHA256: nil, stoppedBy: "source-ended",
      projections: 1, lost: 2, lostFields: 3, duplicates: 4, updates: 5, windowResiduals: [0.5], finalResiduals: [],
      pixels: PixelCounts(nonFinite: 6, clamped: 7, dead: 8, negative: 9))
    let json = """
      {"clampedPixels":7,"deadPixels":8,"duplicates":4,"finalResiduals":[],"isChecked":true,"lost":2,"lostFields":3,\
      "negativePixels":9,"nonFinitePixels":6,"outputs":["a.tiff"],"projections":1,"stoppedBy":"source-ended",\
      "updates":5,"volumeSHA256":"ab","windowResiduals":[0.5]}
      """
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    #expect(String(decoding: try encoder.encode(report), as: UTF8.self) == json)
    #expect(try JSONDecoder().decode(ExportReport.self, from: Data(json.utf8)) == report)
    var told = report
    told.fits = [RowFit(noise: 0.5, weight: 0.25, scale: 2, residual: 1)]
    let more = String(decoding: try encoder.encode(told), as: UTF8.self)
    #expect(more.contains(#""fits":[[0.5,0.25,2,1,0,0]]"#), "\(more)")
    #expect(try JSONDecoder().decode(ExportReport.self, from: Data(more.utf8)) == told)
  }
}
