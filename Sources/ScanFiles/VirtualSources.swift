import CHDF5
import Host

/// One source of a virtual dataset: which of its frames become which of the dataset's, along the first axis.
struct VirtualMapping {
  /// Frames of the dataset, and of the source, in the same order; nil where a selection is none that says so (points,
  /// say), or has no end.
  let frames: (virtual: [Int], source: [Int])?

  private static let framesMax = 1 << 26

  init(file: HDF5File, name: String, creation: borrowing HDF5Handle, index: Int) throws(FileError) {
    let id = creation.id
    let virtual = try file.handle(name) { H5Pget_virtual_vspace(id, index) }
    let source = try file.handle(name) { H5Pget_virtual_srcspace(id, index) }
    guard let there = try Self.frames(file, name, virtual) else {
      frames = nil
      return
    }
    // All of a source is meant as it was to be: what the library says of it is what there is of it now.
    let sourceID = source.id
    let isAll = try file.check(name) { H5Sget_select_type(sourceID).rawValue } == H5S_SEL_ALL.rawValue
    let here = isAll ? Array(there.indices) : try Self.frames(file, name, source)
    frames = here.flatMap { $0.count == there.count ? (there, $0) : nil }
  }

  /// The steps along the first axis that a regular selection touches; nil of another one.
  private static func frames(_ file: HDF5File, _ name: String, _ space: borrowing HDF5Handle) throws(FileError)
    -> [Int]?
  {
    let id = space.id
    let rank = Int(try file.check(name) { H5Sget_simple_extent_ndims(id) })
    guard rank > 0, rank <= HDF5Dataset.rankMax else { return nil }
    var extents = [hsize_t](repeating: 0, count: rank)
    switch try file.check(name, { H5Sget_select_type(id).rawValue }) {
    case H5S_SEL_ALL.rawValue:
      _ = try file.check(name) { H5Sget_simple_extent_dims(id, &extents, nil) }
      return extents[0] <= framesMax ? Array(0..<Int(extents[0])) : nil
    case H5S_SEL_HYPERSLABS.rawValue:
      guard try file.check(name, { H5Sis_regular_hyperslab(id) }) > 0 else { return nil }
      var (start, stride) = (extents, extents)
      var (count, block) = (extents, extents)
      _ = try file.check(name) { H5Sget_regular_hyperslab(id, &start, &stride, &count, &block) }
      let (total, overflow) = count[0].multipliedReportingOverflow(by: block[0])
      guard !overflow, total <= framesMax, start[0] <= framesMax, stride[0] <= framesMax else { return nil }
      return (0..<Int(count[0])).flatMap { part in
        (0..<Int(block[0])).map { Int(start[0]) + part * Int(stride[0]) + $0 }
      }
    default: return nil
    }
  }
}

/// What the sources of a virtual dataset do not have.
struct VirtualSources {
  /// Frames of the dataset for which a source has none.
  var missing: Set<Int> = []
  /// The sources that are too short, in words.
  var shortages: [String] = []
  /// Whether somebody is writing one of them.
  var isGrowing = false

  private static let shortagesMax = 3

  /// Takes note of a source and of what the dataset takes from it.
  mutating func add(_ mapping: VirtualMapping, of source: HDF5Dataset) throws(FileError) {
    guard let frames = mapping.frames, let length = source.shape.first else { return }
    let lost = frames.source.indices.filter {
      frames.source[$0] >= length || source.missing.contains(frames.source[$0])
    }
    guard !lost.isEmpty else { return }
    missing.formUnion(lost.map { frames.virtual[$0] })
    guard shortages.count < Self.shortagesMax else { return }
    shortages.append(
      "\(source.file.path) has \(frames.source.count - lost.count) of the \(frames.source.count) frames that are taken "
        + "from it")
  }
}
