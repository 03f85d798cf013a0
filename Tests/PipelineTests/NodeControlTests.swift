import Fabric
import Glibc
import Host
import Rings
import Run
import RunModel
import Stages
import TestSupport
import Testing

@testable import ScanFiles

extension Pipeline {
  /// What an edge decides for the nodes of its scan as well: real nodes, by a real server.
  @Suite(.enabled(if: FabricServer.isAvailable, "nats-server cannot be had: see Tools/fabric"))
  struct NodeControlTests {
    private let bench: FabricBench
    private let scan: String
    private static let (projections, granule) = (90, 16)

    /// A scan that was measured in spread angles, so that its first projections are a scan as well.
    init() throws {
      bench = try FabricBench()
      scan = bench.folder.file("spread.h5")
      let outcome = try Command.run(
        "simulate", scan, "--rows", "\(FabricBench.rows)", "--columns", "\(FabricBench.columns)", "--projections",
        "\(Self.projections)", "--order", "golden", "--quiet")
      try #require(outcome.status == .exited(0), "\(outcome.errors)")
    }

    private func node(_ name: String) throws -> ServingNode {
      try ServingNode([
        "--fabric", bench.server.address, "--folder", bench.folder.file(name), "--name", name, "--cores", "1",
        "--most-granules", "1",
      ])
    }

    /// The volume of the scan's first projections, as one run makes it that knows of no others.
    private func expectSame(asFirst count: Int, _ parts: [PartRecord], _ method: [String]) throws {
      let whole = try Command(
        [
          "recon", scan, "--output-folder", bench.folder.file("first"), "--run-folder", bench.folder.file("first-run"),
          "--rotation-axis", "32", "--subset", "0:\(count)", "--quiet", "--json",
        ] + method
      ).end().result()
      #expect(whole.projections == count)
      try bench.expectSame(["edge": 0..<FabricBench.rows], asIn: "first", file: "spread_rec.h5")
      let edge = try VolumeReader(path: bench.folder.file("edge/spread_rec.h5"))
      for part in parts {
        #expect(part.projections == count)
        var digest = SHA256()
        var slice = [Float](repeating: 0, count: edge.columns * edge.columns)
        for row in part.firstRow..<part.firstRow + part.rows {
          try slice.withUnsafeMutableBufferPointer { try edge.readSlice(row, into: $0) }
          slice.withUnsafeBytes { digest.update($0) }
        }
        let own = digest.hexDigest()
        #expect(part.sha256 == own, "granule \(part.granule)")
      }
    }

    @Test func `F12: nodes make the updates of an edge that makes fewer, also those that come after the end`() throws {
      let method = ["--algorithm", "sirt", "--window-length", "8", "--final-iterations", "3"]
      let all = try bench.result(bench.edge("all", method + ["--rate", "200", "--lag-max", "0"], input: scan))
      // Decided anew by a successor it would be something else than what nodes were told.
      let edge = try bench.edge(
        "edge",
        method + [
          "--rate", "15", "--lag-max", "48", "--trigger", "always,watch=rate,model=threshold:>1,then=widen",
        ], input: scan, faults: "distribute=orders-half:40,unreleased:20;uplink=time:1500")
      let early = try bench.nodes(of: "edge", count: 2)
      let whole = try bench.result(edge)
      #expect(whole.projections == Self.projections && whole.updates < all.updates - 20, "\(whole.updates)")
      #expect(whole.restarts["distribute"] == 2)
      let late = try bench.node("node2", whole.run, "2:3")
      try bench.expectSame(early + [("node2", late)], as: whole, of: "edge", file: "spread_rec.h5")
      // The updates are part of the volume: with all of them it is another one.
      #expect(whole.volumeSHA256 != all.volumeSHA256)
    }

    @Test func `A scan that its similarity ends, on three nodes and at the edge, ends at one projection`() throws {
      let nodes = try ["a", "b", "c"].map(node)
      try waitForNodes(["a", "b", "c"], at: bench.server)
      let method = ["--algorithm", "sirt", "--window-length", "8", "--final-iterations", "3"]
      let edge = try bench.edge(
        "edge",
        method + [
          "--granule", "\(Self.granule)", "--rate", "5", "--stop-ssim", "0.3", "--stop-after", "24",
        ], input: scan)
      let whole = try bench.result(edge)
      #expect(whole.stoppedBy.hasPrefix("finalized by control: MS-SSIM "), "\(whole.stoppedBy)")
      #expect(whole.stoppedBy.hasSuffix("in 3 granules of nodes as well"), "\(whole.stoppedBy)")
      #expect((24..<Self.projections).contains(whole.projections))
      // What nodes said is among the run's scores, behind its own worker's.
      let scores = try RunHistory(RunFolder(path: bench.folder.file("edge-run"))).scores
      #expect(Set(scores.map(\.worker)).isSuperset(of: [0, 1, 2, 3]), "\(Set(scores.map(\.worker)))")
      let status = try RunFolder(path: bench.folder.file("edge-run")).readStatus().status
      #expect(status.uplink?.scoresDamaged == 0 && status.similarity != nil && status.scores?.count == 1)
      let parts = try waitForParts(of: whole.run, count: 3, at: bench.server)
      #expect(Set(parts.map(\.node)) == ["a", "b", "c"])
      try expectSame(asFirst: whole.projections, parts, method)
      for node in nodes { try node.end() }
    }
  }
}

/// A node, which is killed where its test ends before it.
final class ServingNode {
  let command: Command

  init(_ options: [String]) throws { command = try Command(["node"] + options) }
  deinit { do { try command.process.signal(SIGKILL) } catch { Issue.record(error) } }

  /// Asks it to end, and expects that it does.
  func end(at location: SourceLocation = #_sourceLocation) throws {
    try command.process.signal(SIGTERM)
    let outcome = try command.end(within: .seconds(60))
    #expect(outcome.status == .exited(0), "\(outcome.errors)", sourceLocation: location)
  }
}

/// Waits until these nodes, and no others, are there.
func waitForNodes(_ names: Set<String>, at server: FabricServer) throws {
  let connection = try FabricConnection(FabricAddress(server.address), name: "test", patience: .seconds(5))
  let store = try FabricStore(nodes: connection)
  try wait("the nodes \(names.sorted())") {
    do { return try Set(store.keys()) == names } catch FabricError.missing { return false }
  }
}

/// Waits until nodes have made all granules of a run.
func waitForParts(of run: String, count: Int, at server: FabricServer) throws -> [PartRecord] {
  let connection = try FabricConnection(FabricAddress(server.address), name: "test", patience: .seconds(5))
  let store = try FabricStore(connection, run: #require(RunID(run)))
  var parts: [PartRecord] = []
  try wait("all parts", within: 60) {
    parts = try store.all("part.").map { try PartRecord(decoding: $0.value.value, what: $0.key) }
    return parts.count == count
  }
  return parts.sorted { $0.granule < $1.granule }
}
