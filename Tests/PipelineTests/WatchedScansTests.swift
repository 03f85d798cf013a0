import Foundation
import Glibc
import Host
import ScanFiles
import Serve
import TestSupport
import Testing

extension Pipeline {
  /// Scans of TIFF files behind `slipring serve`: image by image as a detector writes them, and as whole folders.
  @Suite struct WatchedScansTests {
    private let served: ServedFolder
    private var folder: TestFolder { served.folder }
    private static let fields = ["darks: 2", "flats: 3"]

    init() throws {
      served = ServedFolder(try TestFolder())
      try FileManager.default.createDirectory(atPath: folder.file("incoming"), withIntermediateDirectories: true)
    }

    /// Writes the images of a scan, its fields first, as a detector does that counts from 0.
    private func write(_ scan: ServedFolder.Scan, to place: String, images: Range<Int>? = nil) throws {
      let raw = try Data(contentsOf: URL(filePath: folder.file("\(scan.name).raw")))
      let pixels = scan.rows * scan.columns
      for index in images ?? 0..<scan.projections + 5 {
        let bytes = raw[2 * pixels * index..<2 * pixels * (index + 1)]
        let values = bytes.withUnsafeBytes { $0.bindMemory(to: UInt16.self).map(Float.init) }
        try values.withUnsafeBufferPointer {
          try writeTIFF(
            path: folder.file("incoming/\(place)\(index).tif"), columns: scan.columns, rows: scan.rows, values: $0,
            pixels: .uint16(range: 0...65_535), description: "")
        }
      }
    }

    @Test func `A detector's files are scan after scan, in one folder and in folders, also where the server is killed`()
      throws
    {
      let scans = [
        try served.scan("first"), try served.scan("second", rows: 3, projections: 45, seed: 2),
        try served.scan("third", seed: 3),
      ]
      let file = try served.serveFile("watch:incoming", ServedFolder.options + Self.fields)
      var server = try Command(["serve", file])
      try write(scans[0], to: "wood_")
      try write(scans[1], to: "bark_")
      // The first one is over then, and its names may have other images.
      try wait("the second scan") { try served.queued().count == 2 }
      try write(scans[2], to: "wood_", images: 0..<30)
      try wait("the third scan") { try served.queued().count == 3 }
      try server.process.signal(SIGKILL)
      #expect(try server.end().status == .killed(signal: SIGKILL))
      try write(scans[2], to: "wood_", images: 30..<65)
      server = try Command(["serve", file])
      _ = try whole(3, server)
      try FileManager.default.createDirectory(atPath: folder.file("incoming/stone"), withIntermediateDirectories: true)
      try write(scans[0], to: "stone/p")
      let entries = try whole(4, server)
      try served.stop(server)
      #expect(entries.map(\.state) == Array(repeating: .finished, count: 4), "\(entries.map(\.reason))")
      #expect(entries.map(\.sample) == ["wood", "bark", "wood", "stone"])
      #expect(entries.map(\.projections) == [60, 45, 60, 60] && entries.allSatisfy { $0.lost ?? 0 == 0 })
      let volumes = try scans.map(served.volume)
      #expect(entries.map(\.volumeSHA256) == volumes + volumes.prefix(1))
    }

    /// So many scans that are over, without one that was begun again: of that, no frame was on disk.
    private func whole(_ count: Int, _ server: Command) throws -> [QueueEntry] {
      try wait("\(count) scans", within: 90) { try served.queued().filter { $0.state == .finished }.count == count }
      return try served.settled(count, server).filter { $0.state != .removed }
    }

    @Test func `A folder of images that is put there is a scan, and what is none is told once and left alone`() throws {
      let scan = try served.scan("foam")
      try Senders.writeRaw(scan.path, to: folder.file("foam.raw"), fields: true)
      for name in ["sponge", "mixed", "empty"] {
        try FileManager.default.createDirectory(
          atPath: folder.file("incoming/\(name)"), withIntermediateDirectories: true)
      }
      try write(scan, to: "sponge/p", images: 5..<65)
      try write(scan, to: "mixed/p", images: 5..<15)
      try write(scan, to: "mixed/q", images: 5..<15)
      try "words".write(toFile: folder.file("incoming/notes.txt"), atomically: true, encoding: .utf8)
      let options = ServedFolder.options + ["fields: \(scan.path)", "theta-step: 3"]
      let server = try Command(["serve", try served.serveFile("drop:incoming", options)])
      var entries = try served.settled(1, server)
      try wait("what is no scan to be told") {
        let said = try server.errorsSoFar()
        return ["mixed is left alone", "empty is left alone", "notes.txt is left alone"].allSatisfy(said.contains)
      }
      // What is added to a folder that was taken makes no other scan of it.
      try "words".write(toFile: folder.file("incoming/sponge/notes.txt"), atomically: true, encoding: .utf8)
      usleep(3_000_000)
      entries = try served.queued()
      let said = try server.errorsSoFar()
      try served.stop(server)
      #expect(entries.map(\.sample) == ["sponge"] && entries.map(\.state) == [.finished], "\(entries)")
      #expect(said.components(separatedBy: "is left alone").count == 4, "\(said)")
      #expect(entries.map(\.volumeSHA256) == [try served.volume(scan)])
    }

    @Test func `A folder that is not there is told before anything begins`() throws {
      expectFailure(69, try Command.run("serve", "--check", try served.serveFile("watch:nowhere")), "nowhere", "create")
      expectFailure(
        78, try Command.run("serve", "--check", try served.serveFile("'watch:'")), "serve.yaml:5", "address")
    }
  }
}
