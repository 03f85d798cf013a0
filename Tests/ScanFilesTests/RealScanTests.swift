import Host
import ScanFiles
import TestSupport
import Testing

@Suite(.enabled(if: dataFolder != nil, "the real measurements are not there; set SLIPRING_DATA"))
struct RealScanTests {
  private func open(_ name: String) throws -> any ScanReader {
    try openScan(path: "\(try #require(dataFolder))/\(name)")
  }

  @Test func `tooth.h5 is counts with flats, darks and degrees`() throws {
    let scan = try open("tooth.h5")
    #expect(scan.info.format == .dxchange)
    #expect(scan.info.shape == [181, 2, 640])
    #expect(scan.info.counts == [181, 10, 10, 0])
    #expect(scan.info.pixels == [.float32, .float32, .float32])
    #expect(scan.info.thetaSource == "/exchange/theta in degrees")
    #expect(scan.info.thetas[0] == 0)
    #expect(abs(scan.info.thetas[1] - 0.99447514 * .pi / 180) < 1e-9)
    #expect(abs(scan.info.thetas[180] - 179.00552486 * .pi / 180) < 1e-9)
    let (flat, dark) = (try scan.values(.flat, 9), try scan.values(.dark, 9))
    #expect(zip(flat, dark).allSatisfy { $0 > $1 })
    try scan.readEverything()
  }

  @Test func `tooth_preprocessed.h5 is line integrals in radians`() throws {
    let scan = try open("tooth_preprocessed.h5")
    #expect(scan.info.shape == [181, 2, 640])
    #expect(!scan.info.hasFlats)
    #expect(scan.info.thetaSource == "/exchange/theta in radians")
    #expect(abs(scan.info.thetas[1] - .pi / 180) < 1e-9)
    #expect(abs(scan.info.thetas[180] - .pi) < 1e-12)
    let values = try (0..<181).flatMap { try scan.values(.projection, $0) }
    #expect(abs((values.min() ?? 0) + 0.098) < 1e-3)
    #expect(abs((values.max() ?? 0) - 1.954) < 1e-3)
  }
}
