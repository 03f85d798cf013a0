import Foundation
import KernelTypes
import Testing
import Viewing

@testable import Dashboard

@Suite struct VolumeDeskTests {
  /// A volume of 5 slices of 300 columns whose voxels all rise with its generation.
  private final class Changing: ViewedVolume {
    let name = "changing", unit = "1/pixel"
    let (slices, columns) = (5, 300)
    let voxelSizeMillimetres: Double? = 0.001
    let axes = [CutAxis.z, .x]
    let isLive = true
    let identity: UInt64 = 3
    var generations: [UInt64] = [1]
    var canBeRead = true

    func plane(_ axis: CutAxis, at index: Int, edgeMax: Int) throws(PlaneMissing) -> Plane {
      guard canBeRead else { throw .notNow }
      let size = size(of: axis), first = Float(generations[0]) * 1000 + Float(index)
      let count = min(size.columns, edgeMax) * min(size.rows, edgeMax)
      return Plane(
        columns: min(size.columns, edgeMax), rows: min(size.rows, edgeMax),
        values: (0..<count).map { first + Float($0 % 7) }, generations: generations)
    }
  }

  private let volume = Changing()
  private let desk: VolumeDesk

  init() { desk = VolumeDesk(volume, RenderBudget(cores: 4, now: .now)) }

  private func get(_ address: String, known: String? = nil, isOver: Bool = true) -> Response {
    let parts = address.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    let request = Request(
      method: .get, path: "/voxels/" + parts[0], query: parts.count == 2 ? Request.fields(String(parts[1])) : [:],
      headers: known.map { ["if-none-match": $0] } ?? [:], body: [], keepsAlive: true)
    return desk.respond(to: request, path: parts[0], isOver: isOver, freshFor: .seconds(60))
  }

  private func json(_ response: Response) throws -> [String: Any] {
    guard case .bytes(let bytes) = response.body else { throw CancellationError() }
    return try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
  }

  private func floats(_ response: Response) -> [Float] {
    guard case .bytes(let bytes) = response.body else { return [] }
    return bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
  }

  private func header(_ name: String, _ response: Response) -> String? {
    response.headers.first { $0.name == name }?.value
  }

  @Test("What is asked for by its name stays the same while the volume changes, until it is gone")
  func versions() throws {
    let first = try #require(json(get("stats/z/2"))["version"] as? String)
    let before = get("tile/z/2/0/0/1?g=\(first)")
    #expect(before.status == 200 && floats(before).count == 256 * 44)
    #expect(header("Cache-Control", before)?.contains("immutable") == true)
    for generation in 2...3 {
      volume.generations = [UInt64(generation)]
      let next = try #require(json(get("stats/z/2"))["version"] as? String)
      #expect(next != first)
      #expect(floats(get("tile/z/2/0/0/0?g=\(next)")).first == Float(generation) * 1000 + 2)
      let old = get("tile/z/2/0/0/1?g=\(first)")
      #expect(generation == 2 ? floats(old) == floats(before) : old.status == 410)
    }
    #expect(get("tile/z/2/0/0/0?g=0000000000000000").status == 410)
  }

  @Test("Figures of a plane are known by a tag, and are not sent again")
  func tags() throws {
    let answer = get("stats/z/0")
    let tag = try #require(header("ETag", answer))
    #expect(get("stats/z/0", known: tag).status == 304)
    volume.generations = [9]
    #expect(get("stats/z/0", known: tag).status == 200)
    // While the run goes on, what is younger than a moment is new enough.
    volume.generations = [10]
    #expect(try json(get("stats/z/0", isOver: false))["low"] as? Double == 9000)
  }

  @Test("Regions, lines and coarse tiles are of the plane's values")
  func parts() throws {
    let region = try json(get("region/z/1?x0=0&y0=0&x1=7&y1=1"))
    #expect(region["mean"] as? Double == 1004 && region["deviation"] as? Double == 2 && region["count"] as? Int == 7)
    #expect(try json(get("line/z/1?x0=6&y0=0&x1=0&y1=0"))["values"] as? [Double] == (0...6).map { 1007 - Double($0) })
    let coarse = get("tile/x/4/1/0/0")
    #expect(header("X-Low", coarse) != nil && header("X-Columns", coarse) == "3" && header("X-Rows", coarse) == "150")
    let info = try json(get("info"))
    #expect(info["slices"] as? Int == 5 && info["voxel"] as? Double == 0.001 && (info["cuts"] as? [Any])?.count == 2)
  }

  @Test("An overview is made of the newest voxels, and again when they have changed")
  func overviews() throws {
    let answer = get("volume/16")
    #expect(answer.status == 200 && header("X-Columns", answer) == "16" && header("X-Slices", answer) == "5")
    guard case .bytes(let bytes) = answer.body else { throw CancellationError() }
    #expect(bytes.count == 16 * 16 * 5)
    let tag = try #require(header("ETag", answer))
    #expect(get("volume/16", known: tag).status == 304)
    volume.generations = [2]
    #expect(get("volume/16", known: tag).status == 200)
  }

  @Test("While it cannot be read the last one is shown; without one the viewer is told to come again")
  func unreadable() throws {
    let known = try #require(json(get("stats/z/3"))["version"] as? String)
    (volume.canBeRead, volume.generations) = (false, [5])
    #expect(try json(get("stats/z/3"))["version"] as? String == known)
    #expect(get("stats/z/4").status == 503 && get("volume/32").status == 202)
  }

  @Test(
    "What is no question is refused, and so is what the volume does not have",
    arguments: [
      ("", 400), ("info/", 400), ("stats", 400), ("stats/w/1", 400), ("stats/z/-1", 400), ("stats/z/+1", 400),
      ("stats/z/1.0", 400), ("stats/z/99999999999999999999", 400), ("stats/z/5", 404), ("stats/y/0", 404),
      ("stats/z/1/2", 400), ("stats//1", 400), ("stats/z/..", 400), ("tile/z/0/0/0", 400), ("tile/z/0/9/0/0", 404),
      ("tile/z/0/0/999999/999999", 404), ("tile/z/0/0/0/2", 404), ("tile/z/0/0/0/0?g=1", 400),
      ("tile/z/0/0/0/0?g=zzzzzzzzzzzzzzzz", 400), ("region/z/0", 400), ("region/z/0?x0=1&y0=0&x1=1&y1=1", 404),
      ("region/z/0?x0=0&y0=0&x1=301&y1=1", 404), ("region/z/0?x0=-1&y0=0&x1=3&y1=1", 400),
      ("line/z/0?x0=0&y0=0&x1=300&y1=0", 404), ("line/z/0?x0=0&y0=0&x1=nan&y1=0", 400), ("volume/15", 400),
      ("volume/257", 400), ("volume/", 400), ("volume/64/1", 400), ("../page.js", 400), ("%2e%2e/info", 400),
    ])
  func hostile(_ address: String, _ status: Int) { #expect(get(address).status == status, "\(address)") }
}
