import Detectors
import Glibc
import Host
import ScanPlan
import Spools

/// Takes the scan of a live series from its detector, and writes its frames to disk, whoever reconstructs them.
///
/// A process of its own: it goes on while runs come and go, and where it dies the next one goes on.
struct SeriesIntake {
  let scan: ScanDescription

  /// Another scan begins, or the same one goes on behind its end.
  private struct ScanIsOver: Error {}

  /// How long a step may wait before it is looked whether a signal or an order came.
  private static let poll: Duration = .milliseconds(100)
  /// How long the message of the end is waited for that nobody needs any more.
  private static let leaveMax: Duration = .seconds(1)

  /// Where a person's order to end the scan lies.
  static func order(in outputFolder: String) -> String { "\(outputFolder)/series.end" }

  /// Asks for the end of the scan whose series is made in a folder. Asking again changes nothing.
  /// - Throws: `.noInput` where that is of no live scan, `.unavailable` where nobody makes the series.
  static func end(_ folder: String) throws {
    guard try SeriesManifest.read(folder).description.isLive else {
      throw ScanFailure(.noInput, "the series in \(folder) is of a scan file, which does not go on")
    }
    guard try SeriesManifest.maker(of: folder) != nil else {
      throw ScanFailure(.unavailable, "nobody makes the series in \(folder); slipring status shows how far it came")
    }
    try writeFileAtomically(path: order(in: folder), bytes: [], isPrivate: true)
  }

  /// Runs until the scan has ended, or a signal comes; then the scan stays open for who goes on.
  /// - Throws: `.unavailable` or `.data` where nothing came within `source-timeout`, `.temporary` where it was ended
  ///   before the first frame, `.data` where what a predecessor left cannot be gone on with.
  func run(signals: SignalDescriptor, notice: @escaping (String) -> Void) throws {
    guard let settings = scan.seriesIntake else { preconditionFailure("\(scan.input) is no detector") }
    let folder = scan.seriesSpool
    var (hasBegun, hasEnded) = (SpoolDescription.isThere(folder), false)
    if hasBegun, try SpoolDescription.read(folder).ended != nil { return }
    var (dropped, damage) = ([String](), String?.none)
    let intake = try ScanIntake(settings, unfinished: hasBegun ? [folder] : []) {
      guard !hasBegun else { throw ScanIsOver() }
      try makeSpool(folder)
      hasBegun = true
      return folder
    } noticed: {
      switch $0 {
      case .source(.dropped(_, _, let count)) where count > 1: break
      case .source(let source):
        if case .dropped = source { dropped.append(source.words) }
        notice(source.words)
      case .began: notice("the first frame came")
      case .ended(_, let description):
        hasEnded = true
        notice(Self.words(description))
      case .gaveUp(_, let reason): damage = reason
      case .late: break
      }
    }
    if let damage { throw ScanFailure(.data, "the frames in \(folder) cannot be gone on with: \(damage)") }
    if hasBegun { hasEnded = try SpoolDescription.read(folder).ended != nil }
    let begun = ContinuousClock.now
    do throws(any Error) {
      while !hasEnded {
        if try signals.next() != nil { return try intake.leave() }
        try intake.step(timeout: Self.poll)
        try obeyOrder(intake, hasBegun: hasBegun)
        if !hasBegun { try refuseSilence(since: begun, dropped) }
      }
      // Whoever sends may wait until the message of the end is taken.
      let deadline = Deadline(after: Self.leaveMax)
      while !deadline.hasPassed, try signals.next() == nil { try intake.step(timeout: Self.poll) }
    } catch is ScanIsOver { notice(Self.goesOn) }
  }

  private static let goesOn = "the detector goes on behind the scan that was described; that is not taken"

  /// An empty folder for the frames. What a predecessor left of one that died before the first of them is no spool.
  private func makeSpool(_ folder: String) throws {
    try SpoolFolder.remove(folder)
    try DurableFolder.make(folder, for: .owner)
  }

  private func obeyOrder(_ intake: ScanIntake, hasBegun: Bool) throws {
    guard access(Self.order(in: scan.outputFolder), F_OK) == 0 else { return }
    guard hasBegun else {
      throw ScanFailure(.temporary, "the scan was ended before its first projection: nothing is reconstructed")
    }
    try intake.endScan()
  }

  private func refuseSilence(since begun: ContinuousClock.Instant, _ dropped: [String]) throws(ScanFailure) {
    guard let timeout = scan.sourceTimeout, .now - begun > .seconds(timeout) else { return }
    throw dropped.isEmpty
      ? ScanFailure(.unavailable, "no projection came from \(scan.input)")
      : ScanFailure(
        .data, "no projection came from \(scan.input) that is one of the scan: \(dropped.joined(separator: "; "))")
  }

  private static func words(_ description: SpoolDescription) -> String {
    let lost = description.lost.map { $0 > 0 ? ", \($0) frames lost" : "" } ?? ""
    return "the scan ended \(description.ending?.words ?? "")\(lost)"
  }
}
