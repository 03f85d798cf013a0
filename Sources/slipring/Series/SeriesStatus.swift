import Host
import Run
import ScanPlan
import Spools

/// How far a series is, as `slipring status` and `slipring list` show it.
struct SeriesStatus: Encodable {
  /// One volume.
  struct VolumeStatus: Encodable {
    let number: Int
    /// `made`, `left out`, `being made` or `waiting`.
    let state: String
    /// Projections that its volume is made of; nil as long as there is none.
    let projections: Int?
    /// Projections and fields of it that never came.
    let lost: Int?
    let seconds: Double?
    /// Its files, or why there are none.
    let outputs: [String]
    let reason: String?
  }

  /// `making`, `finished`, or `stopped` where nobody makes it: slipring resume goes on.
  let state: String
  /// Whoever makes it.
  let maker: String?
  let volumes: [VolumeStatus]
  /// Pixels from the detector's left edge; nil as long as a live scan has not shown it.
  let rotationAxis: Double?
  /// Projections of a live scan, those of them that came, and those that did not, as far as it is.
  let projections: Int?
  let received: Int?
  let lost: Int?
  /// Whether more is awaited; nil for a file.
  let isReceiving: Bool?
  /// Seconds until the projections that are awaited have come, and until all volumes are there, as it went so far; nil
  /// where that is not known yet, or nothing is under way.
  let scanSecondsLeft: Double?
  let secondsLeft: Double?
  /// The run that is under way.
  let run: RunStatus?
  /// Files with all volumes that are there.
  let outputs: [String]

  /// Of the series in a folder.
  init(_ folder: String) throws {
    let manifest = try SeriesManifest.read(folder), scan = try manifest.description, result = manifest.result
    maker = try SeriesManifest.maker(of: folder)
    let expected = max(result.expected ?? 0, result.volumes.count), made = result.volumes.count
    state = maker != nil ? "making" : made == expected ? "finished" : "stopped"
    rotationAxis = result.rotationAxis
    outputs = result.outputs
    let frames = try scan.isLive ? scan.seriesProgress() : nil
    if let frames { while try !frames.look() {} }
    projections = scan.isLive ? scan.projections : nil
    received = frames?.count ?? result.received
    lost = frames?.lost ?? result.lost
    isReceiving = scan.isLive ? maker != nil && !(frames?.hasEnded ?? (made == expected)) : nil
    var run: RunStatus?
    if made < expected, maker != nil {
      let folder = RunFolder(path: "\(scan.runFolder ?? scan.outputFolder)/\(Series.name(made))/run")
      // Between two runs there is none, and one that begins has not said how far it is.
      if let (status, isSupervised) = try? folder.readStatus(), isSupervised { run = status }
    }
    self.run = run
    var awaited: (Int, Int, Double)?
    if let frames, isReceiving == true, let all = scan.projections {
      awaited = (all, frames.count + frames.lost, Self.now - frames.description.began)
    }
    let forecast = SeriesForecast(
      projections: awaited, made: result.volumes.compactMap { $0.failure == nil ? $0.result?.seconds : nil },
      left: expected - made,
      running: run?.seconds)
    (scanSecondsLeft, secondsLeft) = maker == nil ? (nil, nil) : (forecast.scan, forecast.volumes)
    volumes = (0..<expected).map { number in
      guard number < made else {
        return VolumeStatus(
          number: number, state: number == made && run != nil ? "being made" : "waiting", projections: nil, lost: nil,
          seconds: nil, outputs: [], reason: nil)
      }
      let volume = result.volumes[number]
      return VolumeStatus(
        number: number, state: volume.failure == nil ? "made" : "left out", projections: volume.result?.projections,
        lost: volume.result?.lost, seconds: volume.result?.seconds, outputs: volume.result?.outputs ?? [],
        reason: volume.failure)
    }
  }

  private static var now: Double { Double(Machine.realtimeNanoseconds) / 1e9 }

  /// A line or two for people, above those of the run.
  var lines: [String] {
    let made = volumes.count { $0.state == "made" }, leftOut = volumes.count { $0.state == "left out" }
    var lines = [
      "series: \(state), \(made) of \(volumes.count) volumes are there" + (leftOut > 0 ? ", \(leftOut) left out" : "")
        + (state == "stopped" ? "; slipring resume goes on" : "")
        + (secondsLeft.map { "; all of them in about \(ScanWords.duration($0))" } ?? "")
    ]
    if let projections {
      let rest = scanSecondsLeft.map { "; the rest in about \(ScanWords.duration($0))" } ?? ""
      let end = isReceiving == true ? rest : state == "stopped" ? "; nobody takes any" : "; the scan has ended"
      lines.append(
        "projections \(received ?? 0)/\(projections) came" + (lost.map { $0 > 0 ? ", \($0) lost" : "" } ?? "") + end)
    }
    return lines
  }

  /// A line a volume, for people.
  var table: [String] {
    func row(_ cells: String...) -> String {
      zip(cells, [8, 12, 13, 7, 9, 0]).map { cell, width in
        cell + String(repeating: " ", count: width == 0 ? 0 : max(1, width - cell.count))
      }.joined()
    }
    return [row("volume", "state", "projections", "lost", "time", "files")]
      + volumes.map { volume in
        row(
          "\(volume.number)", volume.state, volume.projections.map { "\($0)" } ?? "-",
          volume.lost.map { "\($0)" } ?? "-",
          volume.seconds.map(ScanWords.duration) ?? "-", volume.reason ?? volume.outputs.first ?? "")
      }
  }
}
