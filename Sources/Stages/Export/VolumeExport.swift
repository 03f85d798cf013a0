import Glibc
import Host
import RunModel
import ScanFiles
import Tomography

/// Writes the files of a finished volume. Every file is complete under its name or not there.
///
/// A group of slices is taken out of the interleaved memory once, and serves checksum, HDF5 and TIFF; integers, which
/// cover the range of the whole volume, take a second turn. `SliceRounds` has several threads do that.
struct VolumeExport {
  let configuration: ExportConfiguration
  let source: any SliceSource
  /// How well each slice fits; none where that is not known.
  var fits: [RowFit] = []
  /// What follows the description of every slice.
  var remark = ""
  /// How the files wait for room on a full disk; nil where that is an error.
  let room: RoomWait?
  let stopRequested: () -> Bool
  var threads = SliceRounds.threads

  /// The paths of all files, the checksums of the volume and of its parts, and what integers stand for, where there are
  /// any.
  typealias Written = (outputs: [String], digest: String, parts: [String], range: ClosedRange<Float>?)

  /// Writes everything, `facts` about the run with it; nil where a stop was requested in between. Where the disk was
  /// full everything is written once more, when there is room for what is not there yet.
  func write(_ facts: [String: String]) throws -> Written? {
    guard let room else { return try writeOnce(facts) }
    var wasFull = false
    return try room.write { () throws -> Written? in
      guard !wasFull || Machine.hasRoom(for: missingByteCount, in: configuration.folder) else {
        throw FileError.writing(configuration.folder, ENOSPC)
      }
      wasFull = true
      return try writeOnce(facts)
    } ?? nil
  }

  /// Bytes of the files that are not there.
  private var missingByteCount: Int {
    let slice = source.columns * source.columns * MemoryLayout<Float>.stride
    let names = configuration.ownNames(slices: source.count)
    let missing = names.filter { access("\(configuration.folder)/\($0)", F_OK) != 0 }
    return missing.reduce(0) {
      $0 + ([configuration.hdf5Name, configuration.zarr?.name].contains($1) ? source.count * slice : slice)
    }
  }

  private func writeOnce(_ facts: [String: String]) throws -> Written? {
    let volume = try configuration.hdf5Name.map { try makeHDF5($0, facts) }
    let zarr = try makeZarr(facts)
    let summary = VolumeSummary(histogram: makeHistogram(), scale: configuration.scale, parts: partVoxels)
    let rounds = SliceRounds(
      source: source, pool: try ThreadPool(threads: threads), images: AtomicFileGroup(),
      path: path(ofSlice:))
    var work = SliceRounds.Work(summary: summary.add)
    if volume != nil || zarr != nil { work.volume = { try write($0, $1, to: volume, zarr) } }
    if configuration.tiff == .float32 { work.image = { try writeTIFF($0, $1, .float32, to: $2) } }
    let isWhole = try rounds.run(work, stopRequested: stopRequested)
    let range = self.range(summary.histogram), pixels = configuration.tiff?.pixels(range)
    guard isWhole, try pixels.map({ try $0 == .float32 || writeTIFFs($0, rounds) }) ?? true else {
      volume?.abandon()
      zarr?.abandon()
      return nil
    }
    try rounds.finish()
    try volume?.finish(
      attributes: range.map { ["integer_range": "\($0.lowerBound) to \($0.upperBound)"] } ?? [:])
    try zarr?.finish()
    let paths = configuration.ownNames(slices: source.count).map { "\(configuration.folder)/\($0)" }
    return (paths, summary.takeDigest(), summary.partDigests, range)
  }

  /// Voxels of each part; none where there are no parts.
  private var partVoxels: [Int] {
    guard let each = configuration.partSlices else { return [] }
    return stride(from: 0, to: source.count, by: each).map {
      min(each, source.count - $0) * source.columns * source.columns
    }
  }

  /// Hands out the slices in groups, each in turn in the same memory, until `body` says false; whether it never did.
  func forEachGroup(_ body: (_ group: Range<Int>, _ voxels: UnsafeMutableBufferPointer<Float>) throws -> Bool) throws
    -> Bool
  {
    let memory = UnsafeMutableBufferPointer<Float>.allocate(capacity: source.groupVoxelsMax)
    defer { memory.deallocate() }
    for group in source.groups {
      let voxels = UnsafeMutableBufferPointer(rebasing: memory[..<(group.count * source.columns * source.columns)])
      source.copy(group, into: voxels)
      guard try body(group, voxels) else { return false }
    }
    return true
  }

  /// Slice `index` of a group.
  func slices(_ voxels: UnsafeMutableBufferPointer<Float>, _ index: Int) -> UnsafeMutableBufferPointer<Float> {
    let count = source.columns * source.columns
    return UnsafeMutableBufferPointer(rebasing: voxels[index * count..<(index + 1) * count])
  }

  /// Into the unit of the output.
  func scale(_ voxels: UnsafeMutableBufferPointer<Float>) {
    guard configuration.scale != 1 else { return }
    for voxel in voxels.indices { voxels[voxel] *= configuration.scale }
  }

  /// Sets what lies outside the inscribed disk to zero.
  func mask(_ slice: UnsafeMutableBufferPointer<Float>) {
    let columns = source.columns, disk = DiskMask(columns: columns, isDisk: true)
    for row in 0..<columns {
      let inside = disk.columns(row: row)
      for outside in [0..<inside.lowerBound, inside.upperBound..<columns] {
        for column in outside { slice[row * columns + column] = 0 }
      }
    }
  }

  /// The file of slice `index`.
  func path(ofSlice index: Int) -> String { "\(configuration.folder)/\(configuration.tiffName(ofSlice: index))" }

  /// False where a stop was requested.
  private func writeTIFFs(_ pixels: TIFFPixels, _ rounds: SliceRounds) throws -> Bool {
    try rounds.run(.init(image: { try writeTIFF($0, $1, pixels, to: $2) }), stopRequested: stopRequested)
  }

  private func writeTIFF(
    _ index: Int, _ slice: UnsafeMutableBufferPointer<Float>, _ pixels: TIFFPixels, to file: AtomicFileGroup.Member
  ) throws {
    let isMasked = configuration.masksIntegers && pixels != .float32
    // Integers have a turn of their own: nobody else reads these voxels in it.
    if isMasked { mask(slice) }
    let image = TIFFImage(
      columns: source.columns, rows: source.columns, pixels: pixels,
      description: "slice \(configuration.firstSlice + index), \(configuration.quantity) in \(configuration.unit)"
        + (fits.isEmpty ? "" : configuration.words(fits[index])) + remark
        + (isMasked ? ", 0 outside the inscribed disk" : ""),
      voxelSizeMillimetres: configuration.about.voxelSizeMillimetres)
    try image.write(UnsafeBufferPointer(slice), scale: configuration.scale, to: file)
    FaultPoint.exportHalf.reach()
  }

  /// A group into the files that hold all slices. Other threads read its voxels: they are scaled elsewhere.
  private func write(
    _ group: Range<Int>, _ voxels: UnsafeMutableBufferPointer<Float>, to volume: VolumeHDF5Writer?, _ zarr: ZarrVolume?
  ) throws {
    try withUnsafeTemporaryAllocation(of: Float.self, capacity: source.columns * source.columns) { scratch in
      for (number, index) in group.enumerated() {
        var slice = slices(voxels, number)
        if configuration.scale != 1 {
          _ = scratch.initialize(from: slice)
          slice = scratch
          scale(slice)
        }
        try volume?.write(slice: UnsafeBufferPointer(slice), at: index)
        try zarr?.add(slice: UnsafeBufferPointer(slice))
      }
    }
    volume?.beginWriting()
  }

  private func attributes(_ facts: [String: String]) -> [String: String] {
    configuration.attributes.merging(facts) { $1 }.merging(["units": configuration.unit]) { $1 }
  }

  private func makeZarr(_ facts: [String: String]) throws -> ZarrVolume? {
    try configuration.zarr.map { zarr in
      try ZarrVolume(
        path: "\(configuration.folder)/\(zarr.name)", slices: source.count, columns: source.columns,
        depth: slicesOfGroup(columns: source.columns), version: zarr.version, attributes: attributes(facts),
        about: configuration.about)
    }
  }

  private func makeHDF5(_ name: String, _ facts: [String: String]) throws -> VolumeHDF5Writer {
    try VolumeHDF5Writer(
      path: "\(configuration.folder)/\(name)", slices: source.count, columns: source.columns,
      attributes: attributes(facts),
      about: configuration.about, compresses: configuration.compresses)
  }
}

extension ExportConfiguration.Sample {
  /// How ScanFiles calls it; integers have a range.
  func pixels(_ range: ClosedRange<Float>?) -> TIFFPixels {
    switch (self, range) {
    case (.uint16, let range?): .uint16(range: range)
    case (.uint8, let range?): .uint8(range: range)
    case (.float32, _): .float32
    case (_, nil): preconditionFailure("integers without a range")
    }
  }
}
