package import Host
package import Rings

/// Two folders, usually on two disks, that hold the same journal: every file under the same name with the same bytes.
///
/// ```
///             ┌─► first    write, sync ─┐
/// batch ──────┤                         ├─► acknowledged once both have it,
///             └─► second   write, sync ─┘   or one, whose `alone` page says durably that the other lacks it
/// ```
///
/// A copy that fails, or is more than `slowLimit` behind the other, is lost: it is left as it is, and the journal goes
/// on in the other. What both refuse is the journal's own to deal with, as on one disk. Before both are known to be
/// whole no copy is lost but one that cannot be opened: the other might be an empty disk.
package final class MirroredDevice: JournalDevice {
  /// A copy that the journal goes on without.
  package struct Loss: Equatable, Sendable {
    /// 0 for the journal's own folder, 1 for its mirror.
    package let side: Int
    /// The folder.
    package let folder: String
    /// What happened, in words.
    package let reason: String
  }

  /// How long one copy may be behind the other.
  package static let slowLimit = Duration.seconds(2)
  /// How often a write of one copy may be cut off or interrupted in a row.
  static let passingLimit = 3

  /// The folders' devices; nil for one that could not be opened.
  let sides: [(any JournalDevice)?]
  let folders: [String]
  let identity: RingIdentity
  let stride: Int
  let rules: JournalRules
  let slowLimit: Duration
  /// What the journal goes on without; nil as long as there are two.
  package private(set) var loss: Loss?
  /// Called once, when a copy is lost.
  package var onLoss: (Loss) -> Void = { _ in }
  /// What kept a folder from being opened.
  private let openFailures: [HostError?]
  /// The copies in the order in which they are believed.
  var order: [Int]
  /// Whether the second of them is behind: it is believed only where what it says follows from what the first one says.
  var isOneBehind = false
  /// Whether a copy that fails is lost. Not before both are known to be whole: the other one may be a new disk.
  var mayLose = false
  /// The copy that failed at last where the other did what was asked, and it could not be lost.
  private(set) var refusing: Int?
  /// Whether a copy that is behind is read too, where the other is damaged: for who mends, not for who goes on.
  var readsBehind = false

  var files: [Int32: [JournalFile?]] = [:]
  var filesOpened: Int32 = 0
  var flights: [Flight] = []
  var idle: [[WriteBatch]]
  var passing = [0, 0]
  /// The highest number of a mark that was seen or written.
  private var markNumber: UInt64 = 0

  /// A batch on its way to the copies.
  struct Flight {
    let batch: WriteBatch
    var parts: [WriteBatch?]
    /// When the copies that are not done count as lost; set when the first is done.
    var deadline: Deadline?
  }

  /// The journal of `identity` in two folders. Of the calls that open them one may fail. Throws the first one's error
  /// where both do.
  package init(
    _ folders: [String], identity: RingIdentity, stride: Int, rules: JournalRules = JournalRules(),
    slowLimit: Duration = MirroredDevice.slowLimit, open: (String) throws(HostError) -> any JournalDevice
  ) throws(HostError) {
    precondition(folders.count == 2, "a journal in \(folders.count) folders")
    var (sides, failures): ([(any JournalDevice)?], [HostError?]) = ([], [])
    for folder in folders {
      do throws(HostError) {
        sides.append(try open(folder))
        failures.append(nil)
      } catch {
        sides.append(nil)
        failures.append(error)
      }
    }
    if let first = failures[0], failures[1] != nil { throw first }
    (self.sides, openFailures, self.folders) = (sides, failures, folders)
    (self.identity, self.stride, self.rules, self.slowLimit) = (identity, stride, rules, slowLimit)
    order = sides.indices.filter { sides[$0] != nil }
    idle = sides.map { _ in (0..<WriteBatch.inFlightLimit).map { _ in WriteBatch() } }
  }

  /// Why a folder could not be opened; nil where both were.
  var openFailure: HostError? { openFailures[0] ?? openFailures[1] }

  /// The first folder, and where its mirror is.
  package var folder: String { folders[0] }
  /// The second folder.
  var mirror: String { folders[1] }
  /// As the devices say.
  package var mechanism: String { sides.compactMap { $0?.mechanism }.joined(separator: " and ") }
  /// Two, or one where the other is missing, lost or behind.
  package var copyCount: Int { isOneBehind && !readsBehind ? 1 : order.count }

  /// The sides that the journal is kept on.
  var kept: [Int] { sides.indices.filter { sides[$0] != nil && loss?.side != $0 } }

  /// Does something on each copy that is kept. One that fails is lost where the other did it; throws where neither did.
  func onEach<Value>(
    _ call: (any JournalDevice, Int) throws(HostError) -> Value
  ) throws(HostError) -> [Value?] {
    var values: [Value?] = [nil, nil]
    var failures: [(side: Int, error: HostError)] = []
    for side in kept {
      guard let device = sides[side] else { continue }
      do throws(HostError) { values[side] = try call(device, side) } catch { failures.append((side, error)) }
    }
    guard let failure = failures.first else { return values }
    // Where one copy's disk is full and the other's is broken, room can be made.
    guard mayLose, failures.count < kept.count else {
      if failures.count < kept.count { refusing = failure.side }
      throw failures.first { $0.error.isNoSpace }?.error ?? failure.error
    }
    try lose(failure.side, "\(failure.error)")
    return values
  }

  /// Goes on without a copy: that is on record in the other one before anything is acknowledged that only it has.
  func lose(_ side: Int, _ reason: String) throws(HostError) {
    precondition(loss == nil, "the second copy of \(folder) is lost: \(reason)")
    guard let device = sides[1 - side] else { preconditionFailure("\(folder) has no other copy") }
    if rules.marksLostCopies {
      markNumber += 1
      let page = ControlPage(
        kind: .alone, identity: identity, stride: stride, first: 0, chain: 0, epoch: 0, number: markNumber,
        durableThrough: 0)
      try publishPage(page, as: FileName.aloneName, device)
    }
    note(side, reason)
  }

  private func note(_ side: Int, _ reason: String) {
    let loss = Loss(side: side, folder: folders[side], reason: reason)
    self.loss = loss
    order.removeAll { $0 == side }
    onLoss(loss)
  }

  /// For who writes: goes on without a copy that could not be opened, or that the other one went on without before.
  /// Throws `.copiesDiffer` where each did without the other.
  func beginWriting() throws(JournalError) {
    guard loss == nil else { return }
    if let alone = try aloneSide() {
      note(1 - alone, openFailures[1 - alone].map { "\($0)" } ?? Self.behindReason)
    } else if let missing = sides.indices.first(where: { sides[$0] == nil }), let failure = openFailures[missing] {
      try hosted { () throws(HostError) in try lose(missing, "\(failure)") }
    }
  }

  private static let behindReason = "the journal went on without it before, until it is mended"

  /// The copy that went on without the other one; nil where none did. Throws `.copiesDiffer` where each did without
  /// knowing of the other.
  func aloneSide() throws(JournalError) -> Int? {
    let marks = try hosted { () throws(HostError) in try readMarks() }
    if let first = marks[0], first == marks[1] {
      throw .copiesDiffer(folder: folder, mirror: mirror, reason: "each went on without the other")
    }
    return Self.newest(marks)
  }

  /// The side of the higher number: its mark was written by who knew of the other one. Nil where there is none, or both
  /// have the same.
  static func newest(_ marks: [UInt64?]) -> Int? {
    guard marks[0] != marks[1] else { return nil }
    return marks[0] ?? 0 > marks[1] ?? 0 ? 0 : 1
  }

  /// The numbers of the `alone` pages of both folders; nil where there is none.
  func readMarks() throws(HostError) -> [UInt64?] {
    var marks: [UInt64?] = [nil, nil]
    for side in kept {
      guard let device = sides[side] else { continue }
      do throws(HostError) { marks[side] = try Self.mark(in: device) } catch .system(_, _, let errno)
        where errno.isNoEntry
      {
        continue
      }
    }
    markNumber = max(markNumber, marks.compactMap { $0 }.max() ?? 0)
    return marks
  }

  /// One that cannot be read says the least.
  private static func mark(in device: any JournalDevice) throws(HostError) -> UInt64 {
    let file = try device.open(FileName.aloneName, forWriting: false)
    defer { device.close(file) }
    let memory = AlignedMemory(byteCount: ControlPage.byteCount)
    for _ in 0..<2 {
      let count: Int
      do throws(HostError) { count = try device.read(file, into: memory.bytes, at: 0) } catch { continue }
      if count == ControlPage.byteCount, let page = ControlPage(UnsafeRawBufferPointer(memory.bytes)),
        page.kind == .alone
      {
        return page.number
      }
    }
    return 1
  }
}
