import Foundation
import Glibc
import Host
import Run
import ScanFiles
import ScanPlan

// A detector that does not wait: what a process that dies had of it in its hands is lost, and known to be.
extension Campaign {
  /// Projections a second that it sends: some seconds of work for a run.
  private static let liveRate = 60
  /// A file whose projections span less has no axis that could be found.
  private static let axisSpanMin = 120.0

  /// One run of what a virtual detector sends, with at most `killsMax` kills. Its volume is that of a scan of what
  /// came.
  mutating func runLiveOnce(killsMax: Int) throws {
    let orders = drawOrders(.live, killsMax: killsMax)
    let faults = Self.faults(orders), story = "live, SLIPRING_FAULTS='\(faults)'"
    let output = "\(folder)/run\(report.runs)"
    report.runs += 1
    defer { try? FileManager.default.removeItem(atPath: output) }
    let scan = Self.scan(folder, projections), info = try openScan(path: scan).info
    let port = try Self.freePort()
    let sender = try Self.start(
      program,
      [
        "simulate", "--stream", "zmq+push://127.0.0.1:\(port)", "--scan", try sent(), "--rate", "\(Self.liveRate)",
        "--quiet",
      ], faults: nil, output: "\(folder)/sender.log")
    defer {
      try? sender.signal(SIGKILL)
      _ = try? sender.waitForExit(timeout: Self.timeLimit)
    }
    let live = [
      "--shape", "\(info.rows),\(info.columns)", "--projections", "\(projections)", "--fields", scan,
      "--source-timeout", "4",
    ]
    let result: RunResult
    do {
      result = try Self.reconstruct(
        program, Self.arguments("zmq+pull://127.0.0.1:\(port)", Scenario.live.options + live, output: output),
        output: output, faults: faults
      ).0
    } catch {
      report.failed.append("\(story): \(error)")
      for (stage, orders) in orders { for order in orders { count(stage, order) } }
      return
    }
    for (stage, restarts) in result.restarts {
      for order in (orders[stage] ?? []).prefix(restarts) { count(stage, order) }
    }
    try compareLive(result, output, info, story)
  }

  private mutating func compareLive(_ result: RunResult, _ output: String, _ info: ScanInfo, _ story: String) throws {
    struct Losses: Decodable { let gaps: [[Int]] }
    let losses = try JSONDecoder().decode(
      Losses.self, from: Data(contentsOf: URL(filePath: Self.run(output) + "/losses.json")))
    let lost = Set(losses.gaps.flatMap { $0[0]...$0[1] })
    let came = (0..<projections).filter { !lost.contains($0) }
    report.missed += lost.count
    guard result.projections == came.count, result.lost == lost.count, result.lostFields == 0 else {
      report.lost += 1
      return report.failed.append(
        "\(story): \(result.projections) projections, \(result.lost) lost, of which \(lost.count) never came")
    }
    report.duplicated += result.duplicates
    let excerpt = ScanExcerpt(
      darks: Array(0..<info.darkCount), flats: Array(0..<info.flatCount), projections: came)
    if try liveReference(excerpt, axis: result.rotationAxis).volumeSHA256 != result.volumeSHA256 {
      report.differing += 1
      report.failed.append("\(story): other bits than a scan of \(came.count) projections")
    }
  }

  /// A run of a file of what came. Where that is too little to find the axis in a file, it has the live scan's, which
  /// says that it is a guess.
  private mutating func liveReference(_ excerpt: ScanExcerpt, axis: Double) throws -> RunResult {
    let key = "live-\(excerpt.projections)"
    var options = Scenario.live.options
    let steps = (excerpt.projections.last ?? 0) - (excerpt.projections.first ?? 0)
    if Double(steps) / Double(projections) * Self.range < Self.axisSpanMin,
      let place = options.firstIndex(of: "--rotation-axis")
    {
      options[place + 1] = "\(axis)"
    }
    if let known = references[key] { return known }
    let name = "\(folder)/reference-live"
    try excerpt.write(of: Self.scan(folder, projections), range: Self.range, to: name + ".h5")
    defer { for path in [name, name + ".h5"] { try? FileManager.default.removeItem(atPath: path) } }
    let (result, _) = try Self.reconstruct(
      program, Self.arguments(name + ".h5", options, output: name), output: name, faults: nil)
    references[key] = result
    return result
  }

  /// The scan without its fields, which are in a file: a frame's number is its projection's.
  private func sent() throws -> String {
    let path = "\(folder)/sent.h5"
    if FileManager.default.fileExists(atPath: path) { return path }
    let excerpt = ScanExcerpt(darks: [], flats: [], projections: Array(0..<projections))
    try excerpt.write(of: Self.scan(folder, projections), range: Self.range, to: path)
    return path
  }

  /// A port of this machine that nobody listens at.
  private static func freePort() throws -> UInt16 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    // Sound: an address of IPv4 begins as every address does, and `length` says how long it is.
    let error = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) != 0 || getsockname(descriptor, $0, &length) != 0
      }
    }
    guard descriptor >= 0, !error else { throw ScanFailure(.system, "no port is free: \(Errno.current)") }
    return UInt16(bigEndian: address.sin_port)
  }
}
