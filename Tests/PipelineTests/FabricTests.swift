import Foundation
import Glibc
import Host
import Run
import RunModel
import Stages
import TestSupport
import Testing

@testable import ScanFiles

extension Pipeline {
  /// Scans whose slices several runs make, which get their rows by a real server: bit for bit those of one run,
  /// during the scan and after it.
  @Suite(.enabled(if: FabricServer.isAvailable, "nats-server cannot be had: see Tools/fabric")) struct FabricTests {
    private let bench: FabricBench

    init() throws { bench = try FabricBench() }

    @Test func `Three nodes make one node's slices of a file`() throws {
      let edge = try bench.edge("edge", ["--rate", "200"])
      let nodes = try bench.nodes(of: "edge")
      let whole = try bench.result(edge)
      try bench.expectSame(nodes, as: whole, of: "edge")
      #expect(whole.uplink?.isComplete == true)
      // What a node says of its part.
      let part = try #require(try bench.result(of: "node1").part)
      #expect(part.run == whole.run && part.granules == [1, 2] && part.rows.first == 16 && part.rows.last == 31)
      let file = try HDF5File(path: bench.folder.file("node1/foam_rec.h5"))
      #expect(try file.text(ofAttribute: "edge_run", of: DXchange.data) == whole.run)
      #expect(try bench.tiffs("node1") == (16..<32).map { "recon_000\($0).tiff" })
    }

    @Test func `Three nodes make one node's slices of what a detector sends`() throws {
      let port = try freePort()
      let detector = try Command([
        "simulate", "--stream", "zmq+push://127.0.0.1:\(port)", "--scan", bench.scan, "--rate", "60", "--quiet",
      ])
      let edge = try bench.edge(
        "edge",
        [
          "--shape", "\(FabricBench.rows),\(FabricBench.columns)", "--projections", "\(FabricBench.projections)",
          "--darks", "\(FabricBench.darks)", "--flats", "\(FabricBench.flats)",
        ], input: "zmq+pull://127.0.0.1:\(port)")
      let nodes = try bench.nodes(of: "edge")
      let whole = try bench.result(edge)
      #expect(try detector.end().status == .exited(0))
      try bench.expectSame(nodes, as: whole, of: "edge", file: "stream_rec.h5")
      // The file's slices are the same as well.
      let file = try Command([
        "recon", bench.scan, "--output-folder", bench.folder.file("file"), "--rotation-axis", "32", "--quiet", "--json",
      ]).end().result()
      #expect(file.volumeSHA256 == whole.volumeSHA256)
    }

    @Test(arguments: [
      ["--algorithm", "sirt", "--final-iterations", "3", "--window-length", "8", "--rate", "300"],
      ["--algorithm", "fbp", "--rate", "300"], ["--flat-fields", "interpolate"], ["--axis-tilt", "0.2"],
      ["--start-row", "4", "--end-row", "44", "--granule", "14"], ["--binning", "1", "--granule", "8"],
      ["--stripe-removal", "vo", "--precision", "fixed", "--final-subsets", "4"],
    ]) func `Nodes that come after the end make the same, with all methods`(options: [String]) throws {
      let whole = try bench.result(bench.edge("edge", options))
      let nodes = try bench.nodes(of: "edge", run: whole.run)
      try bench.expectSame(nodes, as: whole, of: "edge")
    }

    @Test func `What servers keep of a run is listed, and removed for good`() throws {
      let first = try bench.result(bench.edge("first", ["--end-row", "16"]))
      let second = try bench.result(bench.edge("second", ["--granule", "8", "--end-row", "24"]))
      let address = bench.server.address
      let lines = try Command.run("fabric", "list", address).output.split(separator: "\n").map(String.init)
      let events = FabricBench.projections + FabricBench.flats + FabricBench.darks + 1
      #expect(lines.count == 2, "\(lines)")
      #expect(
        lines.first?.hasPrefix("\(first.run) foam: \(events) of \(events) events of 1 granules, ") == true, "\(lines)")
      #expect(
        lines.last?.hasPrefix("\(second.run) foam: \(events) of \(events) events of 3 granules, ") == true, "\(lines)")
      #expect(try Command.run("fabric", "remove", address, first.run).status == .exited(0))
      // What is gone cannot be removed again, and a node has nothing to read; the other run is as it was.
      expectFailure(66, try Command.run("fabric", "remove", address, first.run), "has nothing of run \(first.run)")
      expectFailure(64, try Command.run("fabric", "remove", address, "latest"), "latest is no run")
      expectFailure(
        66, try Command.run("recon", "\(address)/\(first.run)", "--output-folder", bench.folder.file("none")),
        "no plan of run \(first.run)")
      let nodes = try bench.nodes(of: "second", run: second.run)
      try bench.expectSame(nodes, as: second, of: "second")
    }

    @Test func `What is filtered goes up as it is filtered`() throws {
      let whole = try bench.result(bench.edge("edge", ["--zingers", "0.5"]))
      let nodes = try bench.nodes(of: "edge", run: whole.run)
      try bench.expectSame(nodes, as: whole, of: "edge")
      let plan = try String(contentsOfFile: bench.folder.file("node0-run/plan.json"), encoding: .utf8)
      #expect(plan.contains(#""images" : "corrected""#) && !plan.contains("zingers"))
    }

    @Test func `What is compressed on its way makes the same slices`() throws {
      let edge = try bench.edge("edge", ["--uplink", "compress", "--rate", "200"])
      let nodes = try bench.nodes(of: "edge")
      let whole = try bench.result(edge)
      try bench.expectSame(nodes, as: whole, of: "edge")
      #expect(whole.uplink?.isComplete == true && (whole.uplink?.packed ?? 0) > 0)
      expectFailure(
        64, try Command.run("recon", bench.scan, "--output-folder", bench.folder.file("none"), "--uplink", "compress"),
        "--uplink compress goes with --fabric")
    }

    @Test func `A half acquisition, and a sample that leaves the detector, are the same on nodes`() throws {
      let half = bench.folder.file("half.h5"), wide = bench.folder.file("wide.h5")
      try WideScan(rows: 12).write(half)
      // Only the lowest third leaves the detector: a node with others alone would not see it.
      try Self.writeCone(wide)
      for (name, scan, axis) in [("half", half, "12"), ("wide", wide, "32")] {
        let whole = try bench.result(
          bench.edge(name, ["--rotation-axis", axis, "--granule", "4"], input: scan, axis: nil))
        let nodes = try bench.nodes(of: name, run: whole.run, each: 1, count: 3, prefix: name + "-node")
        try bench.expectSame(nodes, as: whole, of: name, file: "\(name)_rec.h5")
        guard name == "wide" else { continue }
        let log = try String(
          contentsOfFile: bench.folder.file("wide-node0-run/log/reconstruct.0.jsonl"), encoding: .utf8)
        #expect(log.contains("reaches beyond the detector"))
      }
    }

    /// Writes a scan of a disk in the middle, which is wider than the detector in the lowest third of 12 rows.
    private static func writeCone(_ path: String) throws {
      let (rows, columns, projections) = (12, 64, 90)
      let writer = try DXchangeWriter(
        path: path, projectionCount: projections, rows: rows, columns: columns, pixel: .uint16, flatCount: 3,
        darkCount: 3, thetasDegrees: (0..<projections).map { 2 * Double($0) })
      func image(_ value: (_ row: Int, _ column: Int) -> Double) -> [UInt16] {
        (0..<rows * columns).map { UInt16(value($0 / columns, $0 % columns).rounded()) }
      }
      // Numbers without a pattern in place of noise, which the flats have to tell.
      func noise(_ row: Int, _ column: Int, _ index: Int) -> Double {
        Double((row * 31 + column * 17 + index * 101) % 283 - 141)
      }
      for index in 0..<3 {
        try image { _, _ in 100 }.withUnsafeBytes { try writer.writeDark(index, $0) }
        try image { 20_100 + noise($0, $1, index) }.withUnsafeBytes { try writer.writeFlat(index, $0) }
      }
      for index in 0..<projections {
        let counts = image { row, column in
          let radius = row < 8 ? 18.0 : 44, t = Double(column) - 31.5
          let integral = 0.02 * max(0, radius * radius - t * t).squareRoot()
          return 300 + 20_000 * exp(-integral) + noise(row, column, index + 3)
        }
        try counts.withUnsafeBytes { try writer.writeProjection(index, $0) }
      }
      try writer.finish()
    }

    @Test func `The edge makes some of the rows, and nodes the others`() throws {
      let alone = try Command([
        "recon", bench.scan, "--output-folder", bench.folder.file("alone"), "--rotation-axis", "32", "--quiet",
        "--json",
      ]).end().result()
      let edge = try bench.result(bench.edge("edge", ["--local-rows", "16:32", "--workers", "2"]))
      #expect(try bench.tiffs("edge") == (16..<32).map { "recon_000\($0).tiff" })
      let node = try bench.result(bench.node("node", edge.run, "0:1"))
      #expect(alone.volumeSHA256 != nil && node.part?.rows.last == 15)
      try bench.expectSame(["edge": 16..<32, "node": 0..<16], asIn: "alone")
    }

    @Test func `F11: a scan that is finalized ends at the same projection on every machine`() throws {
      let edge = try bench.edge("edge", ["--rate", "8"])
      let nodes = try bench.nodes(of: "edge")
      try waitForImages(10, of: bench.folder.file("edge-run"))
      // Only the edge can: nodes would end elsewhere.
      try wait("a node's run") { access(bench.folder.file("node0-run/status.json"), F_OK) == 0 }
      expectFailure(64, try Command.run("finalize", bench.folder.file("node0-run")), "is a node's: finalize run")
      #expect(try Command.run("finalize", bench.folder.file("edge-run"), "--by", "anna").status == .exited(0))
      let whole = try bench.result(edge)
      #expect(whole.projections < FabricBench.projections && whole.stoppedBy.contains("anna"))
      try bench.expectSame(nodes, as: whole, of: "edge")
      #expect(try bench.result(of: "node2").projections == whole.projections)
    }

    @Test func `F11 taken away: a node that obeys by itself ends before the others`() throws {
      // With padding by itself the node would ask for what its end does not say.
      let edge = try bench.edge("edge", ["--rate", "15", "--padding", "none"])
      let node = try bench.nodes(of: "edge", count: 1)[0]
      try waitForImages(10, of: bench.folder.file("node0-run"))
      // What the refusal keeps from being written.
      let requests = bench.folder.file("node0-run/requests")
      try RunFolder.makeFolder(requests, for: .owner)
      try "{}".write(toFile: requests + "/finalize", atomically: true, encoding: .utf8)
      let (own, whole) = (try bench.result(node.command), try bench.result(edge))
      #expect(own.projections < whole.projections && whole.projections == FabricBench.projections)
    }
  }
}

/// A scan, a server, and runs at both ends of it.
struct FabricBench {
  static let (rows, columns, projections, darks, flats) = (48, 64, 60, 2, 4)
  let folder: TestFolder
  let server: FabricServer
  let scan: String
  private let results = Results()

  /// What commands printed, for later.
  private final class Results { var all: [String: RunResult] = [:] }

  init(_ settings: String = "") throws {
    (folder, server) = (try TestFolder(), try FabricServer(settings))
    scan = folder.file("foam.h5")
    try Self.foam.get().write(to: URL(filePath: scan))
  }

  /// The scan's bytes, made once.
  private static let foam = Result {
    let folder = try TestFolder()
    let outcome = try Command.run(
      "simulate", folder.file("foam.h5"), "--rows", "\(rows)", "--columns", "\(columns)", "--projections",
      "\(projections)", "--flats", "\(flats)", "--darks", "\(darks)", "--quiet")
    try #require(outcome.status == .exited(0), "\(outcome.errors)")
    return try Data(contentsOf: URL(filePath: folder.file("foam.h5")))
  }

  /// The run that hands out rows.
  func edge(
    _ name: String, _ options: [String] = [], input: String? = nil, axis: String? = "32", faults: String? = nil,
    servers: String? = nil
  ) throws -> Command {
    try Command(
      [
        "recon", input ?? scan, "--fabric", servers ?? server.address, "--output-folder", folder.file(name),
        "--run-folder", folder.file(name + "-run"), "--threads", "1", "--quiet", "--json",
      ] + (axis.map { ["--rotation-axis", $0] } ?? []) + options, faults: faults)
  }

  /// A run that takes some.
  func node(
    _ name: String, _ run: String, _ granules: String, _ options: [String] = [], faults: String? = nil,
    servers: String? = nil
  ) throws -> Command {
    try Command(
      [
        "recon", "\(servers ?? server.address)/\(run)", "--granules", granules, "--output-folder", folder.file(name),
        "--run-folder", folder.file(name + "-run"), "--threads", "1", "--quiet", "--json",
      ] + options, faults: faults)
  }

  /// Nodes of the run that writes to `name`, with `each` granules.
  func nodes(
    of name: String, run: String? = nil, each: Int = 1, count: Int = 3, prefix: String = "node",
    faults: [Int: String] = [:]
  ) throws -> [(name: String, command: Command)] {
    let run = try run ?? self.run(name)
    return try (0..<count).map { number in
      let node = "\(prefix)\(number)"
      return (
        node, try self.node(node, run, "\(number * each):\((number + 1) * each)", faults: faults[number])
      )
    }
  }

  /// The number of a run that has begun.
  func run(_ name: String) throws -> String {
    var status: RunStatus?
    try wait("the run of \(name)") {
      status = try FileManager.default.contents(atPath: folder.file("\(name)-run/status.json")).map {
        try JSONDecoder().decode(RunStatus.self, from: $0)
      }
      return status != nil
    }
    return try #require(status).run
  }

  /// What a run came to that ends well.
  func result(_ command: Command, at location: SourceLocation = #_sourceLocation) throws -> RunResult {
    let outcome = try command.end()
    try #require(outcome.status == .exited(0), "\(outcome.errors)", sourceLocation: location)
    return try outcome.result()
  }

  /// What a node came to that was looked at.
  func result(of node: String) throws -> RunResult { try #require(results.all[node]) }

  /// Expects that nodes end well, with the slices that the run of `name` made, and together with all of them.
  func expectSame(
    _ nodes: [(name: String, command: Command)], as whole: RunResult, of name: String, file: String = "foam_rec.h5",
    at location: SourceLocation = #_sourceLocation
  ) throws {
    var parts: [String: Range<Int>] = [:]
    let first = try tiffs(name).compactMap { Int($0.drop { !$0.isNumber }.prefix { $0.isNumber }) }.min() ?? 0
    for node in nodes {
      let result = try self.result(node.command, at: location)
      results.all[node.name] = result
      let part = try #require(result.part, sourceLocation: location)
      #expect(part.run == whole.run && result.volumeSHA256 != nil, sourceLocation: location)
      #expect(result.projections == whole.projections && result.lost == whole.lost, sourceLocation: location)
      parts[node.name] = part.rows.first - first..<part.rows.last + 1 - first
    }
    try expectSame(parts, asIn: name, file: file, at: location)
    #expect(
      parts.values.reduce(0) { $0 + $1.count } == (try VolumeReader(path: folder.file("\(name)/\(file)")).slices),
      sourceLocation: location)
  }

  /// Expects that the slices of some outputs are those of another one, from its slice `range` on.
  func expectSame(
    _ parts: [String: Range<Int>], asIn name: String, file: String = "foam_rec.h5",
    at location: SourceLocation = #_sourceLocation
  ) throws {
    let whole = try VolumeReader(path: folder.file("\(name)/\(file)"))
    for (node, rows) in parts {
      let part = try VolumeReader(path: folder.file("\(node)/\(file)"))
      try #require(part.slices == rows.count && part.columns == whole.columns, sourceLocation: location)
      for row in rows {
        #expect(
          try slice(part, row - rows.lowerBound) == slice(whole, row), "slice \(row) of \(node)",
          sourceLocation: location)
      }
    }
  }

  private func slice(_ volume: VolumeReader, _ index: Int) throws -> [UInt32] {
    var slice = [Float](repeating: 0, count: volume.columns * volume.columns)
    try slice.withUnsafeMutableBufferPointer { try volume.readSlice(index, into: $0) }
    return slice.map(\.bitPattern)
  }

  /// The slices' files in an output.
  func tiffs(_ name: String) throws -> [String] { try folder.names(in: name).filter { $0.hasSuffix(".tiff") } }
}
