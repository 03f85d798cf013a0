import Detectors
import Glibc
package import Host
package import ScanPlan
import Spools

/// Takes what one source of a server sends, in a process of its own, as long as the server lives: scan after scan into
/// the queue.
package struct Intake {
  private let queue: ScanQueue
  private let source: ServeFile.Source
  private let settings: ScanIntake.Settings

  /// How long a step may wait before it is looked whether a signal came.
  private static let poll: Duration = .milliseconds(100)
  /// Entries that are looked at for a scan which a predecessor left open.
  private static let openMax = 64

  /// The intake of the source `name`.
  /// - Throws: `.usage` where it is none that a detector sends.
  package init(_ file: ServeFile, source name: String) throws(ScanFailure) {
    guard let source = file.sources.first(where: { $0.name == name }), case .detector(let address) = source.address
    else {
      throw ScanFailure(.usage, "\(file.path) has no detector \(name)")
    }
    self.source = source
    queue = ScanQueue(folder: file.folder)
    settings = ScanIntake.Settings(
      address: address, channel: try file.channel(of: source), expected: try file.expected(of: source),
      silenceMax: .seconds(source.silence), memory: WatchFile(path: queue.watchNotes(of: name)))
  }

  /// Runs until a signal comes; a scan that is open then stays open for who goes on.
  package func run(signals: SignalDescriptor, notice: @escaping (String) -> Void) throws {
    var givenUp: [String: String] = [:]
    let intake = try ScanIntake(settings, unfinished: try unfinished()) {
      try begin()
    } noticed: {
      if case .gaveUp(let folder, let reason) = $0 { givenUp[folder] = reason } else { tell($0, notice) }
    }
    for (folder, reason) in givenUp where try giveUp(folder, reason) { tell(.gaveUp(folder, reason), notice) }
    while try signals.next() == nil { try intake.step(timeout: Self.poll) }
    try intake.leave()
  }

  /// Takes a scan out of the queue whose frames cannot be read; what is there of them stays. False where that was done
  /// before.
  private func giveUp(_ folder: String, _ reason: String) throws -> Bool {
    guard let number = try queue.numbers().last(where: { queue.spool(of: $0) == folder }) else { return false }
    let removed = try queue.update(number) { entry in
      guard !entry.isOver else { return false }
      (entry.state, entry.ended, entry.reason) = (.removed, QueueEntry.now, reason)
      return true
    }
    return removed != nil
  }

  /// A folder for the frames of a new scan.
  private func begin() throws -> String {
    let entry = try queue.add { number in
      QueueEntry(number: number, source: source.name, state: .receiving, added: QueueEntry.now)
    } fill: {
      try DurableFolder.make("\($0)/spool", for: .owner)
    }
    return queue.spool(of: entry.number)
  }

  /// Spools that a predecessor left open, in the order of their scans: also of one that was removed while it came, as
  /// its other frames would be taken for a scan of their own.
  private func unfinished() throws -> [String] {
    var open: [String] = []
    for number in try queue.numbers().suffix(Self.openMax) {
      guard let entry = try queue.entryIfWhole(number), entry.source == source.name, entry.file == nil
      else { continue }
      let spool = queue.spool(of: number)
      guard access(spool, F_OK) == 0 else { continue }
      guard SpoolDescription.isThere(spool) else {
        // It died before the first frame was written, which is lost.
        try queue.update(number) { entry in
          guard entry.state == .receiving else { return false }
          (entry.state, entry.ended, entry.reason) = (.removed, QueueEntry.now, "no frame of it was written")
          return true
        }
        continue
      }
      // One that was given up may be damaged.
      if entry.state == .removed {
        if SpoolDescription.isOpen(spool) { open.append(spool) }
      } else if try SpoolDescription.read(spool).ended == nil {
        open.append(spool)
      }
    }
    return open
  }

  private func tell(_ notice: ScanIntake.IntakeNotice, _ line: (String) -> Void) {
    func scan(_ folder: String) -> String {
      "scan " + (folder.split(separator: "/").dropLast().last.map(String.init) ?? "?")
    }
    switch notice {
    case .source(.dropped(let fault, let detail, let count)):
      // The first of each kind tells what is wrong; the scan's description counts the others.
      if count == 1 { line(SourceNotice.dropped(fault, detail: detail, count: count).words) }
    case .source(let notice): line(notice.words)
    case .began(let folder, let description):
      let size = description.projections.map { ", \($0) projections" } ?? ""
      let first = description.firstFrame > 0 ? ", with the detector's frame \(description.firstFrame)" : ""
      line(
        "\(scan(folder)) begins\(first): \(description.rows) × \(description.columns) "
          + "\(description.pixel.rawValue)\(size)")
    case .ended(let folder, let description):
      let lost = description.lost.map { $0 > 0 ? ", \($0) frames lost" : "" } ?? ""
      line(
        "\(scan(folder)) ended \(description.ending?.words ?? ""): \(description.projections ?? 0) projections\(lost)")
    case .gaveUp(let folder, let reason):
      line("\(scan(folder)) cannot be gone on with, and is taken out of the queue: \(reason)")
    case .late(let count):
      if count == 1 {
        line("a frame came that belongs to a scan which has ended; it and all others like it are dropped")
      }
    }
  }
}

/// What of a watched folder was taken, in a file.
private struct WatchFile: WatchMemory {
  let path: String

  func read() throws -> WatchNotes? { try JSONFile.read(WatchNotes.self, path) }

  func write(_ notes: WatchNotes) throws { try JSONFile.write(notes, to: path) }
}
