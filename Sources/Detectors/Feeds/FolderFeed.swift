import Glibc
import Host
import ScanFiles

/// TIFF files as they appear in a folder, in the order of their names in which people count (img_2 before img_10). A
/// file is taken once all of it is there and its size and time have stayed as they are for a moment: a name that
/// somebody renames a finished file to is safest. One that is not complete is waited for, and those behind it with it;
/// the source is not silent meanwhile.
final class FolderFeed: FrameFeed {
  private let path: String
  private let format: FrameFormat
  /// Whether the numbers in names count frames; otherwise files are counted in their order.
  private let usesNumbers: Bool
  /// The image of the last frame, as pixels of this machine.
  private let image: UnsafeMutableRawBufferPointer
  /// Names that wait, in order.
  private var waiting: ArraySlice<Name> = []
  /// The last name that was taken or passed over, and how many there were.
  private var last: Name?
  private var taken: UInt64 = 0
  private var settling = SettlingFiles()

  private static let poll: Duration = .milliseconds(20)

  private struct Name: Comparable {
    let text: String
    /// The last digits of the name.
    let number: UInt64?

    static func < (first: Name, second: Name) -> Bool { isNaturallyBefore(first.text, second.text) }
  }

  /// Watches the folder `path`.
  init(path: String, format: FrameFormat, usesNumbers: Bool) {
    (self.path, self.format, self.usesNumbers) = (path, format, usesNumbers)
    image = .allocate(byteCount: format.byteCount, alignment: 64)
  }

  deinit { image.deallocate() }

  func resume(after next: UInt64, last _: UInt64) throws {
    try list()
    let past = usesNumbers ? waiting.prefix { $0.number ?? 0 < next } : waiting.prefix(Int(clamping: next))
    waiting = waiting.dropFirst(past.count)
    (last, taken) = (past.last, UInt64(past.count))
  }

  func next(timeout: Duration) throws -> FeedStep {
    let deadline = ContinuousClock.now + timeout
    repeat {
      if waiting.isEmpty { try list() }
      if let name = waiting.first, let step = look(at: name) { return step }
      usleep(UInt32(Self.poll / .microseconds(1)))
    } while ContinuousClock.now < deadline
    // What waits behind a file that is not complete has come all the same.
    return waiting.count > 1 ? .held : .nothing
  }

  /// The step that the first file makes; nil where it is not complete yet. Those behind it settle meanwhile.
  private func look(at name: Name) -> FeedStep? {
    settling.look(at: waiting.prefix(SettlingFiles.lengthMax).lazy.map { "\(self.path)/\($0.text)" })
    let file = "\(path)/\(name.text)"
    switch settling.condition(of: file) {
    case .missing: return take(name, .fault(.field))
    case .settling: return nil
    case .settled: break
    }
    do throws(TIFFFault) {
      try readTIFF(path: file, rows: format.rows, columns: format.columns, pixel: format.pixel, into: image)
    } catch {
      switch error {
      // As while somebody puts another file in its place.
      case .unreadable(let reason):
        return settling.isHopeless(file) ? take(name, .fault(.size, "\(name.text): \(reason)")) : nil
      case .incomplete: return settling.isHopeless(file) ? take(name, .fault(.size, "\(name.text) is cut short")) : nil
      case .shape: return take(name, .fault(.shape, name.text))
      case .pixel: return take(name, .fault(.pixel, name.text))
      case .layout: return take(name, .fault(.encoding, name.text))
      }
    }
    guard let number = usesNumbers ? name.number : taken else { return take(name, .fault(.number)) }
    return take(name, .frame(FrameHeader(number: number), UnsafeRawBufferPointer(image)))
  }

  private func take(_ name: Name, _ step: FeedStep) -> FeedStep {
    waiting = waiting.dropFirst()
    // Where files are counted, one that is passed over counts too: it is a frame that is lost.
    (last, taken) = (name, taken + 1)
    return step
  }

  /// Names behind the last one that was taken.
  private func list() throws(FileError) {
    let names: [String]
    do throws(HostError) {
      names = try Folder(path).names()
    } catch {
      throw .cannotOpen(path: path, reason: errnoText(error))
    }
    waiting =
      names.compactMap { text in
        // Of a long scan's names nearly all were taken: they are compared before anything else is done with them.
        guard last.map({ isNaturallyBefore($0.text, text) }) ?? true, !text.hasPrefix(".") else { return nil }
        return Self.name(text)
      }.sorted()[...]
  }

  /// Nil for what is no TIFF by its name.
  private static func name(_ text: String) -> Name? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count > 1, let ending = parts.last?.lowercased(), ending == "tif" || ending == "tiff" else {
      return nil
    }
    let stem = parts.dropLast().joined(separator: ".")
    let digits = stem.reversed().drop { !("0"..."9").contains($0) }.prefix { ("0"..."9").contains($0) }
    return Name(text: text, number: UInt64(String(digits.reversed())))
  }
}
