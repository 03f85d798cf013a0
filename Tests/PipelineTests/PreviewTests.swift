import Foundation
import Host
import Run
import Stages
import TestSupport
import Testing

extension Pipeline {
  /// A scan that is looked at from afar while it goes up.
  @Suite(.enabled(if: FabricServer.isAvailable, "nats-server cannot be had: see Tools/fabric")) struct PreviewTests {
    private let bench: FabricBench

    init() throws { bench = try FabricBench() }

    /// What a picture's line says.
    private struct Said: Decodable {
      let projection, skipped: UInt64
      let binning, rows, columns, damaged: Int
      let isLast: Bool
    }

    private func said(_ output: String) throws -> [Said] {
      try output.split(separator: "\n").map { try JSONDecoder().decode(Said.self, from: Data($0.utf8)) }
    }

    @Test func `Who looks from afar sees newer and newer projections, to the last, and nodes make the same slices`()
      throws
    {
      let edge = try bench.edge("edge", ["--rate", "20", "--uplink-preview"]), file = bench.folder.file("newest.tif")
      let run = try bench.run("edge"), address = "\(bench.server.address)/\(run)"
      let nodes = try bench.nodes(of: "edge", run: run)
      let seen = try Command(["preview", address, "--output", file, "--follow", "--json"]).end()
      #expect(seen.status == .exited(0), "\(seen.errors)")
      let whole = try bench.result(edge), pictures = try said(seen.output)
      let preview = try #require(whole.uplink?.preview), last = try #require(pictures.last)
      #expect(pictures.count > 1 && zip(pictures, pictures.dropFirst()).allSatisfy { $0.projection < $1.projection })
      #expect(last.isLast && last.projection == UInt64(FabricBench.projections) - 1 && last.damaged == 0)
      #expect(last.rows == FabricBench.rows / 2 && last.columns == FabricBench.columns / 2 && last.binning == 2)
      // What was shown and what was not is all of it.
      #expect(preview.shown + preview.skipped == UInt64(FabricBench.projections) && last.skipped == preview.skipped)
      #expect(preview.shown >= UInt64(pictures.count))
      #expect(FileManager.default.contents(atPath: file)?.prefix(2) == Data("II".utf8))
      let status = try Command.run("status", bench.folder.file("edge-run")).output
      #expect(status.contains("preview: \(preview.shown) projections shown, \(preview.skipped) skipped"), "\(status)")
      try bench.expectSame(nodes, as: whole, of: "edge")
      // It is there afterwards as well, for who knows no number.
      let later = try Command.run("preview", "\(bench.server.address)/latest", "--output", file)
      #expect(later.status == .exited(0) && later.output.hasSuffix("the scan's last\n"), "\(later.output)")
    }

    @Test func `Where nothing is shown there is one line`() throws {
      let address = bench.server.address, file = bench.folder.file("a.tif")
      expectFailure(64, try Command.run("preview", "scan.h5", "--output", file), "scan.h5 is no run on a fabric")
      expectFailure(
        69, try Command.run("preview", "\(address)/latest", "--output", file), "has no run with previews")
      let run = String(repeating: "7", count: 32)
      expectFailure(
        75, try Command.run("preview", "\(address)/\(run)", "--output", file, "--patience", "0.3"),
        "showed no newer projection within 0.3 s")
      expectFailure(
        64,
        try Command.run("recon", bench.scan, "--output-folder", bench.folder.file("none"), "--uplink-preview"),
        "--uplink-preview goes with --fabric")
    }
  }
}
