package import Host
package import Rings

/// The folders of one journal's shards, each on a device of its own, and what lies in them. Use from one thread.
///
/// ```
/// 00000000000000000095.segment.00000000000000000127.k3   piece 3 of each stripe of records 95 ..< 127
/// ….k3.1                                                 the same, where another journal's file has the first name
/// retired, through, ….loss                               the journal's own pages, in every folder
/// ….new                                                  being written; never read
/// ```
///
/// A folder that cannot be opened, or fails, is left out from then on; the others stand in for it. Files of other
/// journals, as when somebody copied another run's shards here, are never written over nor removed.
package final class ShardFolders {
  /// One folder.
  struct Place {
    let folder: String
    let device: (any JournalDevice)?
    /// Why it is left out.
    var failure: HostError?
    /// The headers that were read, by the names of their files; whatever has a name stays as it is.
    var headers: [String: ShardHeader] = [:]
    /// Whose the files are that other journals have here, by their names.
    var foreign: [String: RingIdentity] = [:]
  }

  /// How a segment is cut.
  let code: ErasureCode
  let identity: RingIdentity
  let stride: Int
  private(set) var places: [Place]

  /// The shards of the journal of `identity`, in `code.count` folders, each opened by `open`.
  package init(
    _ folders: [String], code: ErasureCode, identity: RingIdentity, stride: Int,
    open: (String) throws(HostError) -> any JournalDevice
  ) {
    precondition(folders.count == code.count, "\(folders.count) folders for \(code.count) shards")
    (self.code, self.identity, self.stride) = (code, identity, stride)
    places = folders.map { folder in
      do throws(HostError) { return Place(folder: folder, device: try open(folder)) } catch {
        return Place(folder: folder, device: nil, failure: error)
      }
    }
  }

  /// The folders that are left out, and why.
  var failures: [(folder: String, error: HostError)] {
    places.compactMap { place in place.failure.map { (place.folder, $0) } }
  }

  /// The names of the segments' files that there are enough shards of.
  package var segments: Set<String> {
    let found = look()
    return Set(found.sets.keys.filter { found.best($0) != nil })
  }

  /// The records that there are enough shards of, in order, those that follow each other together.
  package var ranges: [Range<UInt64>] {
    let found = look()
    let parts = found.sets.keys.compactMap { found.best($0)?.common }.map { $0.first..<$0.end }
    return parts.sorted { $0.lowerBound < $1.lowerBound }.reduce(into: []) { ranges, next in
      if let last = ranges.last, last.upperBound >= next.lowerBound {
        ranges[ranges.count - 1] = last.lowerBound..<max(last.upperBound, next.upperBound)
      } else {
        ranges.append(next)
      }
    }
  }

  /// Whether they give segments back that a journal's folder does not have, or there is no such folder. Throws where it
  /// cannot be read.
  package func hasMore(than journal: String) throws(HostError) -> Bool {
    do throws(HostError) { return !segments.isSubset(of: try Folder(journal).names()) } catch .system(_, _, let errno)
      where errno.isNoEntry
    {
      return true
    }
  }

  /// The device of a folder that has not failed.
  func device(_ place: Int) -> (any JournalDevice)? { places[place].failure == nil ? places[place].device : nil }

  /// Leaves a folder out.
  func fail(_ place: Int, _ error: HostError) { places[place].failure = places[place].failure ?? error }

  /// Does something in a folder; nil where it is left out, or is from now on.
  func attempt<Value>(_ place: Int, _ call: (any JournalDevice) throws(HostError) -> Value) -> Value? {
    guard let device = device(place) else { return nil }
    do throws(HostError) { return try call(device) } catch {
      fail(place, error)
      return nil
    }
  }

  /// Takes the lock of every folder, so that nobody else codes this journal; false where somebody does.
  func lock() -> Bool {
    for place in places.indices {
      let isFree = attempt(place) { (device) throws(HostError) in try device.lockFolder(wait: .zero) }
      if isFree == false {
        unlock()
        return false
      }
    }
    return true
  }

  func unlock() { for place in places { place.device?.unlockFolder() } }

  /// What lies in the folders.
  func look() -> ShardCatalog {
    var catalog = ShardCatalog()
    for place in places.indices {
      let names = attempt(place) { (device) throws(HostError) in try device.names() } ?? []
      catalog.names.append(names)
      for name in names {
        // One whose header is damaged, or says what its name does not, is written again as one that is missing.
        guard let shard = ShardName(name), let header = header(name, place), isOwn(header, shard) else { continue }
        catalog.add(ShardSet.Shard(place: place, name: name), header, shard)
      }
    }
    return catalog
  }

  /// The files that other journals have in the folders, as far as `look` or `noteForeign` came across them.
  var foreign: [(folder: String, name: String, identity: RingIdentity)] {
    places.flatMap { place in
      place.foreign.sorted { $0.key < $1.key }.map { (place.folder, $0.key, $0.value) }
    }
  }

  /// Takes note of a file of another journal.
  func noteForeign(_ name: String, _ place: Int, _ identity: RingIdentity) { places[place].foreign[name] = identity }

  /// Where a shard is written in a folder: under the first of its names that no other journal has.
  func freeName(_ segment: String, end: UInt64, index: Int, _ place: Int) -> String {
    var copy = 0
    while true {
      let name = ShardName(segment: segment, end: end, index: index, copy: copy).text
      guard places[place].foreign[name] != nil else { return name }
      copy += 1
    }
  }

  private func isOwn(_ header: ShardHeader, _ name: ShardName) -> Bool {
    let common = header.common
    guard case .segment(let first, _) = FileName(name.segment) else { return false }
    return common.identity == identity && common.stride == stride && common.first == first && common.end == name.end
      && header.index == name.index
  }

  /// A shard's header, of a file that has the size that it says; nil where it is damaged, or another journal's. What
  /// looks bad is read once more.
  private func header(_ name: String, _ place: Int) -> ShardHeader? {
    if let header = places[place].headers[name] { return header }
    guard let device = device(place) else { return nil }
    let memory = AlignedMemory(byteCount: ShardHeader.byteCount)
    do throws(HostError) {
      let file = try device.open(name, forWriting: false)
      defer { device.close(file) }
      for _ in 0..<2 {
        guard try device.read(file, into: memory.bytes, at: 0) == ShardHeader.byteCount,
          let header = ShardHeader(UnsafeRawBufferPointer(memory.bytes))
        else { continue }
        guard header.common.identity == identity else {
          noteForeign(name, place, header.common.identity)
          return nil
        }
        guard try device.byteCount(of: file) == header.common.shardByteCount else { continue }
        places[place].foreign[name] = nil
        places[place].headers[name] = header
        return header
      }
    } catch {
      // One file that cannot be read is damaged; a folder is left out for what fails as a whole.
    }
    return nil
  }

  /// Forgets a header: its file is another one now, or found to be damaged.
  func forget(_ name: String, _ place: Int) { places[place].headers[name] = nil }
}

/// The shards of one segment that belong together: any `data` of them give its records back.
struct ShardSet {
  /// Where a shard is.
  struct Shard {
    let place: Int
    let name: String
  }

  let segment: String
  let common: ShardHeader.Common
  /// By which of the pieces they have.
  var shards: [Int: Shard] = [:]

  /// Whether there are enough, as far as their headers say.
  var isEnough: Bool { shards.count >= common.data }

  /// The pieces that nobody has.
  var missing: [Int] { (0..<common.data + common.parity).filter { shards[$0] == nil } }
}

/// What lies in the folders of shards.
struct ShardCatalog {
  /// By their segments' names, those with more records first.
  private(set) var sets: [String: [ShardSet]] = [:]
  /// Of each folder; none of one that is left out.
  var names: [[String]] = []

  mutating func add(_ shard: ShardSet.Shard, _ header: ShardHeader, _ name: ShardName) {
    var found = sets[name.segment] ?? []
    let index =
      found.firstIndex { $0.common == header.common }
      ?? {
        found.append(ShardSet(segment: name.segment, common: header.common))
        return found.count - 1
      }()
    // Somebody may have copied a folder: one of each is enough.
    if found[index].shards[header.index] == nil { found[index].shards[header.index] = shard }
    found.sort { ($0.common.end, $0.shards.count) > ($1.common.end, $1.shards.count) }
    sets[name.segment] = found
  }

  /// The set that a segment is made again from: the one with most records of which there is enough.
  func best(_ segment: String) -> ShardSet? { sets[segment]?.first(where: \.isEnough) }
}
