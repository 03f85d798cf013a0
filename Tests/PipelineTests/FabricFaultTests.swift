import Fabric
import Foundation
import Glibc
import Host
import Rehearsal
import Rings
import Run
import Stages
import TestSupport
import Testing

extension Pipeline {
  /// Scans on several machines of which something is killed, lost, or was never there.
  @Suite(.enabled(if: FabricServer.isAvailable, "nats-server cannot be had: see Tools/fabric")) struct FabricFaultTests
  {
    private let bench: FabricBench

    init() throws { bench = try FabricBench() }

    /// The process of a stage of a run that goes on.
    private func process(_ stage: String, of name: String) throws -> Int32? {
      let data = try Data(contentsOf: URL(filePath: bench.folder.file("\(name)-run/status.json")))
      return try JSONDecoder().decode(RunStatus.self, from: data).stages.first { $0.name == stage && $0.isRunning }?.pid
    }

    @Test func `A node's stages are killed, and its slices have the same bits`() throws {
      let edge = try bench.edge("edge", ["--rate", "100"])
      let nodes = try bench.nodes(
        of: "edge",
        faults: [
          0: "acquire=committed:20", 1: "acquire=claimed:30;distribute=unreleased:9",
          2: "reconstruct.0=block-swept:1;acquire=payload-written:5",
        ])
      let whole = try bench.result(edge)
      try bench.expectSame(nodes, as: whole, of: "edge")
      #expect(try bench.result(of: "node0").restarts["acquire"] == 1)
    }

    @Test func `A node's machine dies during the scan, and its run is resumed after it`() throws {
      let edge = try bench.edge("edge", ["--rate", "20"])
      let run = try bench.run("edge")
      let command = try bench.node("node", run, "1:3")
      try waitForImages(15, of: bench.folder.file("node-run"))
      try command.process.signal(SIGKILL)
      #expect(try command.end().status == .killed(signal: SIGKILL))
      try RunFolder(path: bench.folder.file("node-run")).removeRegions(timeout: .seconds(10))
      let whole = try bench.result(edge)
      let resumed = try Command(["resume", bench.folder.file("node-run"), "--quiet", "--json"])
      let result = try bench.result(resumed)
      #expect(result.part?.run == whole.run && result.projections == whole.projections)
      try bench.expectSame(["node": 16..<48], asIn: "edge")
    }

    @Test func `The uplink is killed again and again, and nothing is missing or doubled`() throws {
      let edge = try bench.edge("edge", ["--rate", "30"])
      let nodes = try bench.nodes(of: "edge")
      for images in [8, 20, 32, 44] {
        try waitForImages(images, of: bench.folder.file("edge-run"))
        if let pid = try process("uplink", of: "edge") { kill(pid, SIGKILL) }
      }
      let whole = try bench.result(edge)
      try bench.expectSame(nodes, as: whole, of: "edge")
      #expect((whole.restarts["uplink"] ?? 0) >= 2, "\(whole.restarts)")
    }

    @Test func `The links of the edge and of a node are cut in the middle, and no bit changes`() throws {
      let (ours, theirs) = (try LoopbackLink(to: bench.server.port), try LoopbackLink(to: bench.server.port))
      let edge = try bench.edge("edge", ["--rate", "15"], servers: "nats://127.0.0.1:\(ours.port)")
      let run = try bench.run("edge")
      let nodes =
        [("node0", try bench.node("node0", run, "0:1", servers: "nats://127.0.0.1:\(theirs.port)"))]
        + (try (1...2).map { ("node\($0)", try bench.node("node\($0)", run, "\($0):\($0 + 1)")) })
      try waitForImages(10, of: bench.folder.file("node0-run"))
      theirs.set(.silent)
      try waitForImages(25, of: bench.folder.file("edge-run"))
      ours.set(.closed)
      theirs.set(.free)
      try waitForImages(40, of: bench.folder.file("edge-run"))
      ours.set(.free)
      let whole = try bench.result(edge)
      try bench.expectSame(nodes, as: whole, of: "edge")
      #expect(whole.uplink?.isComplete == true && whole.projections == FabricBench.projections)
    }

    @Test(arguments: [1, 3]) func `A short campaign of kills and cuts changes no bit`(servers: Int) throws {
      let tool = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Tools/chaos-fabric.py")
      let seed = 20_261_201, program = try #require(FabricServer.program)
      let outcome = try Command(
        [
          "python3", tool.path, Command.executable, program, "--kills", "10", "--servers", "\(servers)", "--seed",
          "\(seed)", "--json",
        ], executable: "/usr/bin/env"
      ).end()
      #expect(outcome.status == .exited(0), "seed \(seed): \(outcome.output)\(outcome.errors)")
    }

    @Test(arguments: [13, 40]) func `An uplink that cannot live does not end the run`(deaths: Int) throws {
      let orders = "uplink=" + Array(repeating: "time:1", count: deaths).joined(separator: ",")
      let whole = try bench.result(bench.edge("edge", ["--rate", "30"], faults: orders))
      #expect(whole.projections == FabricBench.projections && whole.volumeSHA256 != nil)
      #expect((whole.restarts["uplink"] ?? 0) >= 13)
      guard deaths == 13 else {
        // It was given up, and the result says so.
        #expect(whole.uplink?.isComplete != true && whole.uplink?.away?.contains("killed by signal") == true)
        return
      }
      #expect(whole.uplink?.isComplete == true)
      try bench.expectSame(bench.nodes(of: "edge", run: whole.run), as: whole, of: "edge")
    }

    @Test func `The edge's machine dies, and its run and its nodes' go on`() throws {
      let edge = try bench.edge("edge", ["--rate", "60"])
      let nodes = try bench.nodes(of: "edge")
      try waitForImages(20, of: bench.folder.file("edge-run"))
      try edge.process.signal(SIGKILL)
      #expect(try edge.end().status == .killed(signal: SIGKILL))
      try RunFolder(path: bench.folder.file("edge-run")).removeRegions(timeout: .seconds(10))
      let whole = try bench.result(Command(["resume", bench.folder.file("edge-run"), "--quiet", "--json"]))
      try bench.expectSame(nodes, as: whole, of: "edge")
    }

    @Test(arguments: [false, true]) func `The server is killed and comes back, also with an empty disk`(
      losesAll: Bool
    ) throws {
      let edge = try bench.edge("edge", ["--rate", "30"])
      let nodes = try bench.nodes(of: "edge")
      try waitForImages(25, of: bench.folder.file("edge-run"))
      bench.server.kill()
      if losesAll { try bench.server.wipe() }
      usleep(500_000)
      try bench.server.start()
      let whole = try bench.result(edge)
      try bench.expectSame(nodes, as: whole, of: "edge")
      #expect(whole.projections == FabricBench.projections)
    }

    @Test func `A bit flips in what the server keeps, and a node that comes later gets the event from the edge`() throws
    {
      let edge = try bench.edge("edge", ["--rate", "12"])
      let run = try bench.run("edge")
      try waitForImages(20, of: bench.folder.file("edge-run"))
      bench.server.kill()
      let blocks = try bench.server.blocks(of: "slipring-\(run)-p1")
      try flipBit(in: #require(blocks.first))
      try bench.server.start()
      let node = try bench.result(bench.node("node", run, "0:3"))
      let whole = try bench.result(edge)
      #expect(node.projections == whole.projections)
      try bench.expectSame(["node": 0..<48], asIn: "edge")
    }

    /// Flips a bit in the middle of a file.
    private func flipBit(in path: String) throws {
      let file = try FileHandle(forUpdating: URL(filePath: path))
      let middle = try file.seekToEnd() / 3
      try file.seek(toOffset: middle)
      let byte = try #require(try file.read(upToCount: 1)?.first)
      try file.seek(toOffset: middle)
      try file.write(contentsOf: Data([byte ^ 1]))
      try file.close()
    }

    @Test func `Who started a node by hand hears that its edge is gone, and goes on when that is back`() throws {
      let edge = try bench.edge("edge", ["--rate", "8"])
      // An edge that is there may take longer for an image than one that is gone.
      let node = try bench.node("node", try bench.run("edge"), "0:1", ["--edge-patience", "0.05"])
      try waitForImages(12, of: bench.folder.file("node-run"))
      try edge.process.signal(SIGKILL)
      #expect(try edge.end().status == .killed(signal: SIGKILL))
      let outcome = try node.end()
      expectFailure(69, outcome, "and its edge was away for 0.05 seconds: let its run go on (slipring resume there)")
      #expect(try bench.tiffs("node").isEmpty)
      let resumed = try Command(["resume", bench.folder.file("edge-run"), "--quiet", "--json"])
      let edgeRun = try RunID(bench.run("edge")), leases = try FabricStore(connection(), leasesOf: #require(edgeRun))
      try wait("the edge's uplink") { try leases.get(FabricNames.uplink) != nil }
      let own = try Command(["resume", bench.folder.file("node-run"), "--quiet", "--json"])
      let (whole, part) = (try bench.result(resumed), try bench.result(own))
      #expect(part.projections == whole.projections && whole.projections == FabricBench.projections)
      try bench.expectSame(["node": 0..<16], asIn: "edge")
    }

    private func connection() throws -> FabricConnection {
      try FabricConnection(FabricAddress(bench.server.address), name: "test", patience: .seconds(5))
    }

    @Test(.enabled(if: SmallDisk.isAvailable, "mounting a small file system takes root with CAP_SYS_ADMIN"))
    func `An edge whose disk is full hands on what its mirror has`() throws {
      let disk = try SmallDisk(byteCount: 192 << 20), mirror = bench.folder.file("mirror"), folder = disk.path + "/run"
      try FileManager.default.createDirectory(atPath: mirror, withIntermediateDirectories: false)
      let edge = try Command([
        "recon", bench.scan, "--fabric", bench.server.address, "--output-folder", bench.folder.file("edge"),
        "--run-folder", folder, "--mirror", mirror, "--rate", "15", "--rotation-axis", "32", "--threads", "1",
        "--quiet", "--json",
      ])
      try waitForImages(15, of: folder)
      let run = try RunFolder(path: folder).readStatus().status.run
      try disk.fill()
      let node = try bench.result(bench.node("node", run, "0:3"))
      disk.makeRoom()
      let whole = try bench.result(edge)
      #expect(whole.projections == FabricBench.projections && node.projections == whole.projections)
      #expect(node.volumeSHA256 == whole.volumeSHA256 && whole.uplink?.isComplete == true)
    }

    @Test func `A fabric that is not there does not stop the edge's scan, which says so`() throws {
      bench.server.kill()
      let command = try bench.edge("edge", [])
      // Its own volume is complete; it waits for the fabric until somebody has it end.
      try wait("the volume") { access(bench.folder.file("edge-run/export.json"), F_OK) == 0 }
      usleep(300_000)
      try command.process.signal(SIGTERM)
      let outcome = try command.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)")
      #expect(try outcome.result().projections == FabricBench.projections)
      let log = try String(contentsOfFile: bench.folder.file("edge-run/log/uplink.jsonl"), encoding: .utf8)
      #expect(log.contains("127.0.0.1:\(bench.server.port) does not answer"), "\(log)")
    }

    @Test func `The fabric comes when the scan is over, and gets all of it`() throws {
      bench.server.kill()
      let edge = try bench.edge("edge", [])
      try wait("the volume") { access(bench.folder.file("edge-run/export.json"), F_OK) == 0 }
      try bench.server.start()
      let whole = try bench.result(edge)
      try bench.expectSame(bench.nodes(of: "edge", run: whole.run), as: whole, of: "edge")
    }

    @Test func `A node without a fabric, a run, or granules is one line`() throws {
      let whole = try bench.result(bench.edge("edge"))
      expectFailure(65, try bench.node("node", whole.run, "1:4").end(), "--granules 1:4", "has 3 granules of 16 rows")
      expectFailure(
        66, try bench.node("node", String(repeating: "0", count: 32), "0:1").end(), "has no plan of run 0000")
      expectFailure(64, try bench.node("node", "17", "0:1").end(), "names no run")
      expectFailure(
        64, try bench.node("node", whole.run, "0:1", ["--algorithm", "fbp"]).end(),
        "--algorithm fbp is decided at the edge")
      #expect(!FileManager.default.fileExists(atPath: bench.folder.file("node")))
      // The newest run is found by itself.
      #expect(try bench.result(bench.node("latest", "latest", "0:1")).part?.run == whole.run)
      try writePlan(whole.run) { $0.replacing(#""version":2"#, with: #""version":1"#) }
      expectFailure(65, try bench.node("node", whole.run, "0:1").end(), "has version 1")
      try writePlan(whole.run) { _ in "no plan" }
      expectFailure(65, try bench.node("node", whole.run, "0:1").end(), "is none")
      bench.server.kill()
      expectFailure(69, try bench.node("node", whole.run, "0:1").end(), "does not answer")
    }

    /// Writes another plan of a run.
    private func writePlan(_ run: String, _ change: (String) -> String) throws {
      let store = try FabricStore(connection(), run: #require(RunID(run)))
      let plan = try #require(try store.get("plan"))
      try store.put("plan", Array(change(String(decoding: plan.value, as: UTF8.self)).utf8))
    }

    @Test func `A node that is interrupted leaves no part, and goes on when it is resumed`() throws {
      let edge = try bench.edge("edge", ["--rate", "10"])
      let command = try bench.node("node", try bench.run("edge"), "0:1")
      try waitForImages(10, of: bench.folder.file("node-run"))
      try command.process.signal(SIGTERM)
      #expect(try command.end().status == .exited(128 + SIGTERM))
      #expect(try bench.tiffs("node").isEmpty)
      let data = try Data(contentsOf: URL(filePath: bench.folder.file("node-run/status.json")))
      #expect(try JSONDecoder().decode(RunStatus.self, from: data).stages.allSatisfy { !$0.isRunning })
      let whole = try bench.result(edge)
      let resumed = try bench.result(Command(["resume", bench.folder.file("node-run"), "--quiet", "--json"]))
      #expect(resumed.projections == whole.projections)
      try bench.expectSame(["node": 0..<16], asIn: "edge")
    }
  }
}
