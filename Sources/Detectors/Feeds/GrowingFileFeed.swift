import Glibc
import Host
package import ScanFiles

/// Frames of an HDF5 file as another program writes them, in their order: it is opened anew until it has more. When
/// its writer has closed it and every frame is taken, the series is complete.
final class GrowingFileFeed: FrameFeed {
  private let path: String
  private let format: FrameFormat
  private let selection: ScanSelection
  private let usesRadians: Bool
  private let thetaUnit: ThetaUnit
  /// What people know of the file already.
  private var told: Set<String>
  /// The number of the file's first frame.
  private let first: UInt64
  /// The image of the last frame.
  private let image: UnsafeMutableRawBufferPointer
  /// What the file had at the last look.
  private var frames: GrowingFrames?
  /// Frames that were taken.
  private var taken = 0
  /// Since when the file cannot be read that is there.
  private var unreadable: ContinuousClock.Instant?

  private static let poll: Duration = .milliseconds(50)
  /// A file that is there and cannot be read for so long will hardly be: a writer makes its datasets at once.
  private static let patience: Duration = .seconds(60)

  /// Watches the file at `path`, which need not be there yet; `first` is the number of its first frame, `thetaUnit`
  /// that of its angles where somebody says it, and `usesRadians` the unit in which it is to deliver them.
  init(
    path: String, format: FrameFormat, selection: ScanSelection, thetaUnit: ThetaUnit, usesRadians: Bool, first: UInt64,
    told: [String] = []
  ) {
    self.told = Set(told)
    (self.path, self.format, self.selection, self.thetaUnit) = (path, format, selection, thetaUnit)
    (self.usesRadians, self.first) = (usesRadians, first)
    image = .allocate(byteCount: format.byteCount, alignment: 64)
  }

  deinit { image.deallocate() }

  func resume(after next: UInt64, last _: UInt64) { taken = Int(clamping: next - min(next, first)) }

  func next(timeout: Duration) throws -> FeedStep {
    let deadline = ContinuousClock.now + timeout
    repeat {
      if let frames, taken < frames.count { return try take(frames) }
      // Looked at once more after its writer closed it: it may have added frames before.
      if let frames, !frames.isGrowing, taken >= frames.count, frames.count > 0 { return .end(UInt64(taken)) }
      try look()
      if let notice = newNotice() { return .notice(.remark(notice)) }
      if let frames, taken < frames.count || !frames.isGrowing && frames.count > 0 { continue }
      usleep(UInt32(Self.poll / .microseconds(1)))
    } while ContinuousClock.now < deadline
    return .nothing
  }

  /// What the file says that people do not know yet.
  private func newNotice() -> String? {
    let new = frames?.notices.filter { !told.contains($0) } ?? []
    told.formUnion(new)
    return new.isEmpty ? nil : new.joined(separator: "; ")
  }

  private func look() throws(FileError) {
    guard access(path, F_OK) == 0 else { return }
    let known = frames?.count ?? taken
    // Two at once would be one and the same to the library, as it was at first.
    frames = nil
    do throws(FileError) {
      frames = try GrowingFrames(path: path, selection: selection, thetaUnit: thetaUnit, known: known)
      unreadable = nil
    } catch {
      let since = unreadable ?? .now
      guard ContinuousClock.now - since < Self.patience else { throw error }
      unreadable = since
    }
  }

  private func take(_ frames: GrowingFrames) throws(FileError) -> FeedStep {
    let number = taken
    taken += 1
    guard frames.shape == (format.rows, format.columns) else {
      return .fault(.shape, "the file has frames of \(frames.shape.rows) × \(frames.shape.columns)")
    }
    guard frames.pixel == format.pixel else { return .fault(.pixel, "the file has \(frames.pixel.rawValue)") }
    try frames.read(number, into: image)
    let facts = frames.description(of: number)
    var header = FrameHeader(number: first + UInt64(number))
    // −1 is an alignment frame.
    header.key = facts.key.map { ImageKey(rawValue: $0) ?? .invalid }
    header.theta = facts.theta.map { theta in
      frames.usesRadians == usesRadians ? theta : usesRadians ? theta * .pi / 180 : theta * 180 / .pi
    }
    return .frame(header, UnsafeRawBufferPointer(image))
  }
}

extension LiveSource {
  /// Watches an HDF5 file that another program writes, or will write; `told` is what people know of it.
  package convenience init(
    _ configuration: Configuration, file path: String, selection: ScanSelection, thetaUnit: ThetaUnit, told: [String],
    noticed: @escaping (SourceNotice) -> Void
  ) {
    let feed = GrowingFileFeed(
      path: path, format: configuration.format, selection: selection, thetaUnit: thetaUnit,
      usesRadians: configuration.usesRadians, first: configuration.firstFrame ?? 0, told: told)
    self.init(configuration, feed: feed, noticed: noticed)
  }
}
