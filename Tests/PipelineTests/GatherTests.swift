import Fabric
import Foundation
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
  /// Volumes that are put together of what nodes have made, by a real server: bit for bit those of one run.
  @Suite(.enabled(if: FabricServer.isAvailable, "nats-server cannot be had: see Tools/fabric")) struct GatherTests {
    private let bench: FabricBench

    init() throws { bench = try FabricBench() }

    /// One machine's run.
    private func alone(_ options: [String] = []) throws -> RunResult {
      try Command(
        [
          "recon", bench.scan, "--output-folder", bench.folder.file("alone"), "--rotation-axis", "32", "--threads", "1",
          "--quiet", "--json",
        ] + options
      ).end().result()
    }

    /// A node, which tells the servers what it has made.
    private func node(_ name: String, _ run: String, _ granules: String, _ options: [String] = []) throws -> Command {
      try bench.node(name, run, granules, ["--node-name", name] + options)
    }

    private func gather(_ arguments: String...) throws -> Command.Outcome {
      try Command(["gather"] + arguments + ["--json"]).end()
    }

    private struct Whole: Decodable { let volumeSHA256: String }

    private func whole(_ outcome: Command.Outcome, at location: SourceLocation = #_sourceLocation) throws -> Whole {
      try #require(outcome.status == .exited(0), "\(outcome.errors)", sourceLocation: location)
      return try JSONDecoder().decode(Whole.self, from: Data(outcome.output.utf8))
    }

    @Test func `The edge waits for three nodes, and has the volume of one machine`() throws {
      let one = try alone()
      let edge = try bench.edge("edge", ["--nodes", "3"])
      let run = try bench.run("edge")
      let nodes = try (0..<3).map { try node("node\($0)", run, "\($0):\($0 + 1)") }
      for node in nodes { _ = try bench.result(node) }
      let result = try bench.result(edge)
      #expect(result.volumeSHA256 == one.volumeSHA256 && result.outputs == [bench.folder.file("edge/foam_rec.h5")])
      #expect(result.parts?.map(\.node) == ["node0", "node1", "node2"] && result.uplink?.granules == ["made": 3])
      #expect(result.uplink?.missing == [] && result.parts?.map(\.slices.last) == [15, 31, 47])
      #expect(try bench.folder.names(in: "edge") == ["foam_rec.h5", "outputs.json", "scan.yaml"])
      try bench.expectSame(["edge": 0..<48], asIn: "alone")
      // What it says of itself is what one run's file says.
      let (file, single) = (
        try HDF5File(path: bench.folder.file("edge/foam_rec.h5")),
        try HDF5File(path: bench.folder.file("alone/foam_rec.h5"))
      )
      for name in ["units", "rotation_axis", "projections", "stop_reason", "clamped_pixels", "voxel_size", "axes"] {
        #expect(
          try file.text(ofAttribute: name, of: DXchange.data) == single.text(ofAttribute: name, of: DXchange.data),
          "\(name)")
      }
      #expect(try file.text(ofAttribute: "run", of: DXchange.data) == run)
      #expect(try file.text(ofAttribute: "sha256", of: DXchange.data) == one.volumeSHA256)
      #expect(try file.numbers("/entry/data/z") == single.numbers("/entry/data/z"))
      let angles = "/entry/reconstruction/parameters/rotation_angle"
      #expect(try file.numbers(angles) == single.numbers(angles))
      // Once more from the servers, by others, and as a copy.
      let there = "\(bench.server.address)/\(run)", again = bench.folder.file("again")
      #expect(try whole(gather(there, "--output-folder", again)).volumeSHA256 == one.volumeSHA256)
      try bench.expectSame(["again": 0..<48], asIn: "alone")
      let copy = try whole(
        gather(bench.folder.file("edge-run"), "--form", "hdf5", "--output-folder", bench.folder.file("copy")))
      #expect(copy.volumeSHA256 == one.volumeSHA256)
      // The result of another run is not replaced.
      expectFailure(
        73, try gather(there, "--output-folder", bench.folder.file("alone")), "has the result of another run")
      // A run that is done stays done.
      let resumed = try Command(["resume", bench.folder.file("edge-run"), "--json", "--quiet"]).end().result()
      #expect(resumed.volumeSHA256 == one.volumeSHA256 && resumed.outputs == result.outputs)
      // Elsewhere, and then damaged.
      for node in 0..<3 {
        try FileManager.default.createDirectory(
          atPath: bench.folder.file("mnt/node\(node)"), withIntermediateDirectories: true)
        try FileManager.default.moveItem(
          atPath: bench.folder.file("node\(node)/foam_rec.h5"), toPath: bench.folder.file("mnt/node\(node)/foam_rec.h5")
        )
      }
      expectFailure(66, try gather(there, "--output-folder", again), "with --parts")
      #expect(
        try whole(gather(there, "--output-folder", again, "--parts", bench.folder.file("mnt"))).volumeSHA256
          == one.volumeSHA256)
      try flip(bench.folder.file("mnt/node1/foam_rec.h5"))
      expectFailure(
        65, try gather(there, "--output-folder", bench.folder.file("bad"), "--parts", bench.folder.file("mnt")),
        "slices 16 to 31 of node node1 are not what it has made")
      #expect(try bench.folder.names(in: "bad") == ["outputs.json"])
    }

    @Test func `Nodes that write TIFF, and TIFF and HDF5, make one volume of TIFF files`() throws {
      let edge = try bench.edge("edge", ["--nodes", "2", "--granule", "24"]), run = try bench.run("edge")
      _ = try bench.result(node("a", run, "0:1", ["--format", "tiff"]))
      _ = try bench.result(node("b", run, "1:2", ["--format", "both"]))
      let result = try bench.result(edge)
      #expect(try result.volumeSHA256 == alone().volumeSHA256 && result.outputs.count == 48)
      #expect(result.outputs.allSatisfy { access($0, F_OK) == 0 })
      // Of HDF5 alone there is no such file.
      try FileManager.default.removeItem(atPath: bench.folder.file("b/recon_00024.tiff"))
      expectFailure(
        64, try gather(bench.folder.file("edge-run"), "--output-folder", bench.folder.file("again")), "--form hdf5")
      // Once its record is gone, another one makes the part.
      let there = "\(bench.server.address)/\(run)"
      let removed = try Command(["fabric", "remove", bench.server.address, run, "--granules", "1:2"]).end()
      #expect(removed.status == .exited(0) && removed.errors.contains("removed 1 part of run"), "\(removed.errors)")
      expectFailure(75, try gather(there, "--output-folder", bench.folder.file("again")), "rows 24 to 47")
      _ = try bench.result(node("c", run, "1:2", ["--format", "tiff"]))
      let again = try whole(gather(there, "--output-folder", bench.folder.file("again")))
      #expect(again.volumeSHA256 == result.volumeSHA256)
    }

    @Test func `With --gather edge nodes send their slices back, and the edge has one plain file`() throws {
      let one = try alone()
      let edge = try bench.edge("edge", ["--nodes", "2", "--granule", "24", "--gather", "edge"])
      let run = try bench.run("edge")
      let nodes = [try node("a", run, "0:1"), try node("b", run, "1:2", ["--format", "tiff"])]
      for node in nodes { _ = try bench.result(node) }
      let result = try bench.result(edge)
      #expect(result.volumeSHA256 == one.volumeSHA256 && result.outputs == [bench.folder.file("edge/foam_rec.h5")])
      #expect(result.parts?.map(\.node) == ["a", "b"])
      // The nodes' files are somewhere else.
      for node in ["a", "b"] { try FileManager.default.removeItem(atPath: bench.folder.file(node)) }
      try bench.expectSame(["edge": 0..<48], asIn: "alone")
      let file = try HDF5File(path: bench.folder.file("edge/foam_rec.h5"))
      #expect(try file.text(ofAttribute: "sha256", of: DXchange.data) == one.volumeSHA256)
      #expect(try file.text(ofAttribute: "stop_reason", of: DXchange.data)?.isEmpty == false)
      // Once more, from the servers.
      let there = "\(bench.server.address)/\(run)", again = bench.folder.file("again")
      #expect(try whole(gather(there, "--output-folder", again)).volumeSHA256 == one.volumeSHA256)
      try bench.expectSame(["again": 0..<48], asIn: "alone")
      let copy = try whole(
        gather(bench.folder.file("edge-run"), "--gather", "edge", "--output-folder", bench.folder.file("copy")))
      #expect(copy.volumeSHA256 == one.volumeSHA256)
      expectFailure(66, try gather(there, "--gather", "links", "--output-folder", again), "with --parts")
      expectFailure(64, try gather(there, "--form", "links", "--output-folder", again), "--gather links")
      // Somebody sends a slice that is whole, and not what the node has made.
      let stream = try SliceStream(
        FabricConnection(FabricAddress(bench.server.address), name: "test", patience: .seconds(5)),
        run: #require(RunID(run)))
      let other = [Float](repeating: 0.5, count: 64 * 64)
      try other.withUnsafeBufferPointer { slice in
        try stream.deliver([30], columns: 64, facts: [:], firsts: [], again: false) { _ in slice }
      }
      expectFailure(
        65, try gather(there, "--output-folder", bench.folder.file("other")),
        "slices 24 to 47 of node b are not what it has made", "--gather links")
      #expect(try bench.folder.names(in: "other") == ["outputs.json"])
      // A bit flips in what the servers keep, or all is gone.
      bench.server.kill()
      try bench.server.flipBit(in: "slipring-\(run)-slices", seed: 5)
      try bench.server.start()
      let flipped = try gather(there, "--output-folder", bench.folder.file("flipped"))
      #expect(flipped.status != .exited(0))
      #expect(try bench.folder.names(in: "flipped").allSatisfy { !$0.hasSuffix(".h5") })
      #expect(try Command.run("fabric", "remove", bench.server.address, run).status == .exited(0))
      expectFailure(
        69, try gather(bench.folder.file("edge-run"), "--output-folder", bench.folder.file("gone")), "the fabric")
    }

    @Test func `Slices that are not to come back are not asked for`() throws {
      let run = try bench.result(bench.edge("edge", ["--granule", "24"])).run
      for granule in 0..<2 { _ = try bench.result(node("node\(granule)", run, "\(granule):\(granule + 1)")) }
      let there = "\(bench.server.address)/\(run)"
      expectFailure(
        64, try gather(there, "--gather", "edge", "--output-folder", bench.folder.file("again")),
        "without --gather edge")
      expectFailure(64, try gather(there, "--gather", "none"), "makes no volume")
      expectFailure(
        64, try Command.run("recon", bench.scan, "--output-folder", bench.folder.file("none"), "--gather", "edge"),
        "--gather edge goes with --fabric")
    }

    /// Flips a bit of the volume.
    private func flip(_ path: String) throws {
      let file = try FileHandle(forUpdating: URL(filePath: path))
      defer { try? file.close() }
      let place = try file.seekToEnd() - 5000
      try file.seek(toOffset: place)
      let byte = try #require(try file.read(upToCount: 1)?.first)
      try file.seek(toOffset: place)
      try file.write(contentsOf: [byte ^ 1])
    }

    @Test func `What servers keep is compared with the edge's journal, message by message`() throws {
      let run = try bench.result(bench.edge("edge", ["--granule", "24"])).run
      let arguments = [bench.server.address, run, "--run-folder", bench.folder.file("edge-run")]
      let whole = try Command(["fabric", "verify"] + arguments).end()
      #expect(whole.status == .exited(0) && whole.output.hasPrefix("134 messages of run \(run) are whole"), "\(whole)")
      bench.server.kill()
      try bench.server.flipBit(in: "slipring-\(run)-p1", seed: 1)
      try bench.server.start()
      expectFailure(65, try Command(["fabric", "verify"] + arguments).end(), "of granule 1 is missing")
      expectFailure(64, try Command.run("fabric", "verify", bench.server.address, "latest"), "latest is no run")
    }

    @Test func `TIFF files are linked, beside those of the edge, and missing slices are told`() throws {
      let one = try alone(["--format", "tiff"])
      let edge = try bench.edge(
        "edge", ["--nodes", "1", "--local-rows", "32:48", "--format", "tiff"])
      let run = try bench.run("edge")
      _ = try bench.result(node("node", run, "0:1", ["--format", "tiff"]))
      // Granule 1 has nobody, and somebody will not wait for it.
      try wait("the edge to wait for one part alone") {
        let status = try RunFolder(path: bench.folder.file("edge-run")).readStatus().status
        return status.uplink?.missing == [1] && status.uplink?.isComplete == true
          && status.stages.allSatisfy { $0.name == "uplink" || !$0.isRunning }
      }
      try edge.process.signal(SIGTERM)
      let outcome = try edge.end()
      expectFailure(75, outcome, "rows 16 to 31 of run \(run) are missing")
      #expect(try bench.tiffs("edge") == (32..<48).map { "recon_000\($0).tiff" })
      // Somebody makes it, and the run is taken up again.
      _ = try bench.result(node("other", run, "1:2", ["--format", "tiff"]))
      let resumed = try Command(["resume", bench.folder.file("edge-run"), "--json", "--quiet"]).end().result()
      #expect(resumed.volumeSHA256 == one.volumeSHA256)
      #expect(try bench.tiffs("edge") == bench.tiffs("alone"))
    }
  }
}
