import Host
import Synchronization

/// One turn over a volume, group by group, by several threads. While a group is written the next one is taken out of
/// the interleaved memory, so two groups are in memory.
///
/// ```
/// round k, in this order, whoever is free   summary of group k │ HDF5 of group k │ a TIFF for each slice
///                                           copy of group k + 1 │ a sync for each TIFF of the 16 before
/// then, on the calling thread               names of these 16, in their order
/// ```
final class SliceRounds {
  /// What becomes of a group.
  struct Work {
    /// Adds a group's voxels to checksum and histogram, in the order of the groups.
    var summary: ((UnsafeMutableBufferPointer<Float>) -> Void)?
    /// Writes the slices of a group to a file that holds all, in the order of the groups.
    var volume: ((_ group: Range<Int>, UnsafeMutableBufferPointer<Float>) throws -> Void)?
    /// Writes slice `index` to its own file, on any thread.
    var image: ((_ index: Int, UnsafeMutableBufferPointer<Float>, AtomicFileGroup.Member) throws -> Void)?
  }

  private let source: any SliceSource
  private let pool: ThreadPool
  private let images: AtomicFileGroup
  private let path: (Int) -> String
  private let memory: UnsafeMutableBufferPointer<Float>

  /// Threads of a pool for rounds: most of them wait for the disk.
  static let threads = 8
  /// Groups in memory.
  static let groups = 2
  /// Parts of a copy.
  private static let copies = 16

  /// `images` are the files of the slices, whose paths `path` gives.
  init(source: any SliceSource, pool: ThreadPool, images: AtomicFileGroup, path: @escaping (Int) -> String) {
    (self.source, self.pool, self.images, self.path) = (source, pool, images, path)
    memory = .allocate(capacity: Self.groups * source.groupVoxelsMax)
  }

  deinit { memory.deallocate() }

  /// Does `work` on all slices; false where `stopRequested`, which is asked before each slice, said so. Files that were
  /// written before that have their names, as far as they are whole groups.
  func run(_ work: Work, stopRequested: () -> Bool) throws -> Bool {
    let groups = source.groups
    if let first = groups.first { pool.forEach(count: Self.copies) { copy($0, of: first, into: voxels(0, first)) } }
    for (number, group) in groups.enumerated() {
      for _ in group where stopRequested() {
        try close(images.whole)
        return false
      }
      try round(number, groups, work)
    }
    return true
  }

  /// Makes all files durable under their names.
  func finish() throws {
    try close(images.waiting)
    try images.commit()
  }

  /// Makes the first of the waiting files durable and gives them their names.
  private func close(_ files: [AtomicFileGroup.Member]) throws {
    let failure = FirstFailure()
    pool.forEach(count: files.count) { index in failure.catching(index) { try files[index].makeDurable() } }
    try failure.check()
    try images.giveNames(files.count)
  }

  /// The files of a group. Where one cannot be made, the files before the group are finished first.
  private func begin(_ group: Range<Int>) throws -> [AtomicFileGroup.Member] {
    let closing = images.whole
    do { return try group.map { try images.begin(path: path($0)) } } catch {
      try close(closing)
      throw error
    }
  }

  private func round(_ number: Int, _ groups: [Range<Int>], _ work: Work) throws {
    let group = groups[number], voxels = voxels(number, group), closing = images.whole
    let files = try work.image == nil ? [] : begin(group)
    let next = number + 1 < groups.count ? groups[number + 1] : nil
    let copies = next == nil ? 0 : Self.copies
    let failure = FirstFailure(), syncFailure = FirstFailure()
    pool.forEach(count: 2 + group.count + copies + closing.count) { index in
      failure.catching(index) {
        switch index {
        case 0: work.summary?(voxels)
        case 1: try work.volume?(group, voxels)
        case 2..<2 + group.count:
          let (slice, index) = (index - 2, group.lowerBound + index - 2)
          try work.image?(index, self.slice(voxels, slice), files[slice])
        case 2 + group.count..<2 + group.count + copies:
          if let next { copy(index - 2 - group.count, of: next, into: self.voxels(number + 1, next)) }
        default:
          let index = index - 2 - group.count - copies
          syncFailure.catching(index) { try closing[index].makeDurable() }
        }
      }
    }
    // What is whole stays, though something else failed.
    try syncFailure.check()
    try images.giveNames(closing.count)
    try failure.check()
  }

  /// Memory of group `number`.
  private func voxels(_ number: Int, _ group: Range<Int>) -> UnsafeMutableBufferPointer<Float> {
    let first = number % Self.groups * (memory.count / Self.groups)
    return UnsafeMutableBufferPointer(rebasing: memory[first..<first + group.count * source.columns * source.columns])
  }

  private func slice(_ voxels: UnsafeMutableBufferPointer<Float>, _ index: Int) -> UnsafeMutableBufferPointer<Float> {
    let count = source.columns * source.columns
    return UnsafeMutableBufferPointer(rebasing: voxels[index * count..<(index + 1) * count])
  }

  private func copy(_ part: Int, of group: Range<Int>, into voxels: UnsafeMutableBufferPointer<Float>) {
    let columns = source.columns
    source.copy(
      group, lines: columns * part / Self.copies..<columns * (part + 1) / Self.copies, into: voxels)
  }
}

/// What went wrong first among things that threads do at once: first in their order, not in time.
private final class FirstFailure: Sendable {
  private let first = Mutex<(order: Int, error: any Error)?>(nil)

  /// Does number `order`.
  func catching(_ order: Int, _ body: () throws -> Void) {
    do { try body() } catch {
      first.withLock { if $0.map({ order < $0.order }) ?? true { $0 = (order, error) } }
    }
  }

  /// Throws it.
  func check() throws {
    if let (_, error) = first.withLock({ $0 }) { throw error }
  }
}
