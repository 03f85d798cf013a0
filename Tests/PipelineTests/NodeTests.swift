import Fabric
import Foundation
import Glibc
import Host
import Rings
import Run
import RunModel
import TestSupport
import Testing

@testable import ScanFiles

extension Pipeline {
  /// Scans whose granules nodes take by themselves, which come, go and die.
  @Suite(.enabled(if: FabricServer.isAvailable, "nats-server cannot be had: see Tools/fabric")) struct NodeTests {
    private let bench: FabricBench
    private static let (granule, count) = (8, 6)

    init() throws { bench = try FabricBench() }

    /// A node, which is killed where its test ends before it.
    private final class NodeProcess {
      let command: Command
      init(_ command: Command) { self.command = command }
      deinit { do { try command.process.signal(SIGKILL) } catch { Issue.record(error) } }

      func signal(_ number: Int32) throws { try command.process.signal(number) }
      func end() throws -> Command.Outcome { try command.end(within: .seconds(60)) }
      func errorsSoFar() throws -> String { try command.errorsSoFar() }
    }

    private func node(_ name: String, _ most: Int, _ options: String...) throws -> NodeProcess {
      NodeProcess(
        try Command(
          [
            "node", "--fabric", bench.server.address, "--name", name, "--cores", "1", "--most-granules", "\(most)",
          ] + (options.contains("--folder") ? [] : ["--folder", bench.folder.file(name)]) + options))
    }

    private func connection() throws -> FabricConnection {
      try FabricConnection(FabricAddress(bench.server.address), name: "test", patience: .seconds(5))
    }

    private func waitForNodes(_ names: Set<String>) throws {
      let store = try FabricStore(nodes: connection())
      try wait("the nodes \(names.sorted())") {
        do { return try Set(store.keys()) == names } catch FabricError.missing { return false }
      }
    }

    /// Who has which granules of a run.
    private func holders(_ store: FabricStore) throws -> [Int: String] {
      var holders: [Int: String] = [:]
      let entries: [String: FabricStore.Entry]
      do throws(FabricError) { entries = try store.all("granule.") } catch {
        // The edge is about to make the bucket.
        guard case .missing = error else { throw error }
        return [:]
      }
      for (key, entry) in entries {
        let granule = try #require(Int(key.dropFirst("granule.".count)))
        holders[granule] = try LeaseRecord(decoding: entry.value, what: key).node
      }
      return holders
    }

    private func waitForHolders(
      _ what: String, _ store: FabricStore, at location: SourceLocation = #_sourceLocation,
      until isRight: ([String: Int]) -> Bool
    ) throws {
      var counts: [String: Int] = [:]
      try wait("\(what)", at: location) {
        counts = Dictionary(grouping: try holders(store).values) { $0 }.mapValues(\.count)
        return isRight(counts)
      }
    }

    /// Waits until every granule has its part, and expects that these have the bits of the edge's volume.
    private func expectParts(of run: String, at location: SourceLocation = #_sourceLocation) throws -> [PartRecord] {
      let store = try FabricStore(connection(), run: #require(RunID(run)))
      var parts: [PartRecord] = []
      try wait("all parts", within: 60, at: location) {
        parts = try store.all("part.").map { try PartRecord(decoding: $0.value.value, what: $0.key) }
        return parts.count == Self.count
      }
      let whole = try VolumeReader(path: bench.folder.file("edge/foam_rec.h5"))
      var slice = [Float](repeating: 0, count: whole.columns * whole.columns)
      for part in parts {
        let rows = part.granule * Self.granule..<(part.granule + 1) * Self.granule
        #expect(part.firstRow == rows.lowerBound && part.rows == rows.count && part.projections == 60 && part.lost == 0)
        // The folder is named after the granules that are in it.
        let file = try #require(part.files.first), folder = URL(filePath: file).deletingLastPathComponent()
        let first = try #require(Int(folder.lastPathComponent.split(separator: "-")[0]))
        let volume = try VolumeReader(path: file)
        var own = SHA256(), edge = SHA256()
        for row in rows {
          try slice.withUnsafeMutableBufferPointer { try volume.readSlice(row - first * Self.granule, into: $0) }
          slice.withUnsafeBytes { own.update($0) }
          try slice.withUnsafeMutableBufferPointer { try whole.readSlice(row, into: $0) }
          slice.withUnsafeBytes { edge.update($0) }
        }
        let digest = edge.hexDigest()
        #expect(own.hexDigest() == digest && part.sha256 == digest, "granule \(part.granule)", sourceLocation: location)
      }
      return parts
    }

    private func end(_ node: NodeProcess, at location: SourceLocation = #_sourceLocation) throws {
      try node.signal(SIGTERM)
      let outcome = try node.end()
      #expect(outcome.status == .exited(0), "\(outcome.errors)", sourceLocation: location)
    }

    @Test
    func `F8: a node that dies is followed within seven seconds, one joins, one leaves, and the bits are the same`()
      throws
    {
      let (a, b) = (try node("a", 2), try node("b", 3))
      try waitForNodes(["a", "b"])
      let edge = try bench.edge("edge", ["--rate", "4", "--granule", "\(Self.granule)"])
      let run = try bench.run("edge"), leases = try FabricStore(connection(), leasesOf: #require(RunID(run)))
      try waitForHolders("five granules", leases) { $0 == ["a": 2, "b": 3] }
      let c = try node("c", 3)
      try waitForHolders("the node that joins", leases) { $0 == ["a": 2, "b": 3, "c": 1] }
      try waitForImages(12, of: bench.folder.file("edge-run"))
      try a.signal(SIGKILL)
      let killed = ContinuousClock.now
      #expect(try a.end().status == .killed(signal: SIGKILL))
      // It takes no more, and makes what it has.
      try b.signal(SIGTERM)
      try waitForHolders("the heir", leases) { $0["c"] == 3 }
      let took = ContinuousClock.now - killed
      print("a killed node's granules were taken over after \(took)")
      #expect(took < FabricNames.lifetime + .seconds(1))
      let whole = try bench.result(edge), parts = try expectParts(of: run)
      #expect(whole.run == run && Set(parts.map(\.node)) == ["b", "c"])
      #expect(try b.end().status == .exited(0))
      try end(c)
      #expect(try FabricStore(nodes: connection()).all().isEmpty && holders(leases).isEmpty)
      // Runs leave nothing but their slices.
      let left = try bench.folder.names(in: "c/\(run)").filter { !$0.contains(".") }
      #expect(try left.allSatisfy { try !bench.folder.names(in: "c/\(run)/\($0)").contains("run") }, "\(left)")
    }

    @Test func `With all nodes gone one makes everything, goes on with its own, and who was thought dead stops`() throws
    {
      let (a, b) = (try node("a", 3), try node("b", 3))
      try waitForNodes(["a", "b"])
      let edge = try bench.edge("edge", ["--rate", "3", "--granule", "\(Self.granule)"])
      let run = try bench.run("edge"), leases = try FabricStore(connection(), leasesOf: #require(RunID(run)))
      try waitForHolders("all granules", leases) { $0 == ["a": 3, "b": 3] }
      // On a busy machine its run begins late, and there is nothing to go on with before.
      try waitForImages(8, of: bench.folder.file("a/\(run)/0-2/run"))
      try a.signal(SIGKILL)
      #expect(try a.end().status == .killed(signal: SIGKILL))
      // Others cannot tell it from one that is dead.
      try b.signal(SIGSTOP)
      let heir = try node("a", 6)
      try waitForHolders("the heir", leases) { $0 == ["a": 6] }
      try b.signal(SIGCONT)
      try wait("the stale holder's end") { try b.errorsSoFar().contains("could not be renewed in time") }
      try end(b)
      _ = try bench.result(edge)
      #expect(Set(try expectParts(of: run).map(\.node)) == ["a"])
      try end(heir)
      let lines = try heir.errorsSoFar()
      #expect(lines.contains("granules 0 to 2 taken up again"), "\(lines)")
    }

    @Test func `What waits for an edge that is gone is set aside, and made when the edge goes on`() throws {
      let node = try node("a", 6, "--edge-patience", "3")
      try waitForNodes(["a"])
      let edge = try bench.edge("edge", ["--rate", "4", "--granule", "\(Self.granule)"])
      let run = try bench.run("edge"), leases = try FabricStore(connection(), leasesOf: #require(RunID(run)))
      try waitForHolders("all granules", leases) { $0 == ["a": 6] }
      try waitForImages(8, of: bench.folder.file("edge-run"))
      try edge.process.signal(SIGKILL)
      #expect(try edge.end().status == .killed(signal: SIGKILL))
      // Its room is free for others, and it is not begun again for nothing.
      try wait("its end", within: 60) { try node.errorsSoFar().contains("stopped: nothing came of its edge for 3") }
      try waitForHolders("nobody", leases) { $0.isEmpty }
      let resumed = try Command(["resume", bench.folder.file("edge-run"), "--json", "--quiet"])
      _ = try bench.result(resumed)
      #expect(try expectParts(of: run).allSatisfy { $0.node == "a" })
      try end(node)
      let lines = try node.errorsSoFar()
      #expect(lines.contains("granules 0 to 5 taken up again"), "\(lines)")
    }

    @Test(.enabled(if: SmallDisk.isAvailable, "mounting a small file system takes root with CAP_SYS_ADMIN"))
    func `What waits for room on a full disk is left to others, and leaves nothing in memory`() throws {
      let disk = try SmallDisk(byteCount: 192 << 20)
      let (a, b) = (
        try node("a", 3, "--folder", disk.path + "/a", "--room-patience", "2"), try node("b", 3)
      )
      try waitForNodes(["a", "b"])
      let edge = try bench.edge("edge", ["--rate", "6", "--granule", "\(Self.granule)", "--nodes", "2"])
      let run = try bench.run("edge"), leases = try FabricStore(connection(), leasesOf: #require(RunID(run)))
      try waitForHolders("all granules", leases) { $0["a"] == 3 && $0["b"] == 3 }
      var folder = ""
      try wait("a run of the node") {
        folder = try Folder("\(disk.path)/a/\(run)").names().first { !$0.contains(".") } ?? ""
        return !folder.isEmpty
      }
      let begun = "\(disk.path)/a/\(run)/\(folder)/run"
      try waitForImages(8, of: begun)
      let own = try RunFolder(path: begun).readStatus().status.run
      #expect(try SharedRegion.names(prefix: RegionNames.common).contains { $0.contains(own) })
      try disk.fill()
      let whole = try bench.result(edge)
      #expect(Set(whole.parts?.compactMap(\.node) ?? []) == ["b"])
      #expect(try a.errorsSoFar().contains("there was no room on its disk for 2.0 seconds"))
      disk.makeRoom()
      try wait("what was begun to go") { try !Folder("\(disk.path)/a/\(run)").names().contains(folder) }
      #expect(try !SharedRegion.names(prefix: RegionNames.common).contains { $0.contains(own) })
      try end(a)
      try end(b)
    }

    @Test func `A part is told once, also by a run that a person starts, and what a node cannot do is one line`() throws
    {
      let whole = try bench.result(bench.edge("edge", ["--end-row", "16", "--granule", "8"]))
      let first = try bench.result(bench.node("first", whole.run, "0:2"))
      #expect(first.part?.sha256.count == 2)
      let again = try bench.node("again", whole.run, "1:2", ["--node-name", "again"]).end()
      #expect(again.status == .exited(0))
      #expect(try again.result().part?.sha256 == [#require(first.part?.sha256.last)])
      let store = try FabricStore(connection(), run: #require(RunID(whole.run)))
      let parts = try store.all("part.").mapValues { try PartRecord(decoding: $0.value, what: "part") }
      #expect(parts.count == 2 && parts["part.1"]?.sha256 == first.part?.sha256.last)
      #expect(parts["part.1"]?.node == FabricNames.node(Machine.hostName) && parts["part.1"]?.format == .hdf5)
      let address = bench.server.address
      expectFailure(
        64, try Command.run("node", "--fabric", address, "--folder", bench.folder.file("x"), "--name", "a.b"),
        "--name a.b is no name of a node")
      expectFailure(
        64, try Command.run("node", "--fabric", "ftp://a", "--folder", bench.folder.file("x")), "is no address")
      let node = try node("x", 1)
      try wait("its lock") { try node.errorsSoFar().contains("serves") }
      expectFailure(73, try self.node("x", 1).end(), "has a node, process")
      try end(node)
    }
  }
}
