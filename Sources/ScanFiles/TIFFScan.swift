import Host

/// The images of TIFF files, one after the other: those of each file in their order.
final class TIFFImages: ImageStack {
  /// Where an image is.
  private struct Place {
    let file: String
    let page: TIFFFile.Page
  }

  let rows: Int
  let columns: Int
  let pixel: PixelType
  /// What was left out, and why.
  let notice: String?
  /// The numbers of the images that are there, among those that there were to be.
  let numbers: [Int]
  /// How many there were to be.
  let planned: Int
  private let places: [Place]
  /// The file that was read last: of a stack, the next image is in it.
  private var open: (path: String, file: TIFFFile)?

  private static let namedMax = 3

  var count: Int { places.count }

  /// Opens every file of `paths`. A file that is cut short is left out, as are those behind it of a scan that ended
  /// early; with `isStrict` it is refused.
  init(_ paths: [String], isStrict: Bool) throws(FileError) {
    var (places, numbers, cut, next): ([Place], [Int], [String], Int) = ([], [], [], 0)
    // Files with several images are not what their numbers count.
    let (numbered, isSingle) = (ImageFiles.places(of: paths), try Self.hasOneImage(paths))
    for (index, path) in paths.enumerated() {
      if let numbered, isSingle { next = numbered[index] }
      let pages: [TIFFFile.Page]
      do throws(TIFFFault) { pages = try TIFFFile(path).pages() } catch {
        guard error == .incomplete, !isStrict, paths.count > 1 else { throw error.failure(path) }
        cut.append(path)
        // A file of one image, as all others are.
        next += 1
        continue
      }
      for page in pages {
        places.append(Place(file: path, page: page))
        numbers.append(next)
        next += 1
      }
    }
    guard let first = places.first else {
      throw .badData(path: paths.first ?? "", reason: TIFFFault.incomplete.words)
    }
    for place in places {
      let (page, usual) = (place.page, first.page)
      guard (page.rows, page.columns) == (usual.rows, usual.columns) else {
        throw .badData(
          path: place.file,
          reason: "its image has \(page.rows) × \(page.columns) pixels, and that of \(first.file) "
            + "\(usual.rows) × \(usual.columns)")
      }
      guard page.sample == usual.sample else {
        throw .badData(
          path: place.file, reason: "its pixels are \(page.sample), and those of \(first.file) \(usual.sample)")
      }
    }
    (rows, columns, pixel) = (first.page.rows, first.page.columns, first.page.sample.pixel)
    (self.places, self.numbers, planned) = (places, numbers, next)
    let missing = next - places.count - cut.count
    if missing > 0, isStrict {
      throw .badData(path: paths[0], reason: "\(missing) numbers of its series have no file, which --strict refuses")
    }
    notice = Self.notice(cut, missing: missing, taken: places.count, of: next)
  }

  /// What to tell of files that are of no use, and of numbers without one.
  private static func notice(_ cut: [String], missing: Int, taken: Int, of planned: Int) -> String? {
    let named = cut.prefix(namedMax).joined(separator: ", ") + (cut.count > namedMax ? ", …" : "")
    let causes = [
      cut.isEmpty ? nil : "\(cut.count) files are cut short or still being written and left out: \(named)",
      missing == 0 ? nil : "\(missing) of the numbers in the names have no file, and their angles are passed over",
    ].compactMap(\.self)
    return causes.isEmpty
      ? nil
      : "the scan is not complete: \(causes.joined(separator: "; ")); \(taken) of \(planned) images are there and taken"
  }

  /// Whether the first of the files that can be read has one image.
  private static func hasOneImage(_ paths: [String]) throws(FileError) -> Bool {
    for path in paths {
      do throws(TIFFFault) { return try TIFFFile(path).pages().count == 1 } catch {
        guard error == .incomplete else { throw error.failure(path) }
      }
    }
    return true
  }

  func read(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    let place = places[index]
    do throws(TIFFFault) {
      if open?.path != place.file { open = (place.file, try TIFFFile(place.file)) }
      try open?.file.read(place.page, rows: rows, into: buffer)
    } catch { throw error.failure(place.file) }
  }
}

extension TIFFFault {
  /// The error about a file that is needed.
  fileprivate func failure(_ path: String) -> FileError {
    if case .unreadable(let reason) = self { return .cannotOpen(path: path, reason: reason) }
    return .badData(path: path, reason: words)
  }

  /// Why the file is of no use, and what to do.
  fileprivate var words: String {
    switch self {
    case .unreadable(let reason): reason
    case .incomplete: "it is no TIFF, or is cut short or still being written; copy it again, or take it away"
    case .shape: "its image has no pixels, or too many"
    case .pixel: "its pixels are no grey values (integers of 8, 16 or 32 bits, or floats of 32 or 64)"
    case .layout: "its strips or tiles are above 1 GiB, or it is a stack that is compressed as a whole; write it anew"
    }
  }
}

/// A scan of TIFF files, which say nothing but their pixels.
final class TIFFScanReader: ScanReader {
  let info: ScanInfo
  private let images: TIFFImages

  init(_ path: String, _ images: TIFFImages, _ thetas: Thetas) {
    self.images = images
    info = ScanInfo(
      path: path, format: .tiff, projectionCount: images.count, rows: images.rows, columns: images.columns,
      pixel: images.pixel, flatPixel: .float32, darkPixel: .float32, thetas: thetas.radians,
      thetaSource: thetas.source, flatCount: 0, darkCount: 0, invalidCount: 0, pixelSizeMillimetres: nil,
      notices: thetas.notices + [images.notice].compactMap(\.self))
  }

  func readProjection(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) {
    try images.read(index, rows: rows, into: buffer)
  }

  func readFlat(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) {
    preconditionFailure("flat \(index) of none")
  }

  func readDark(_ index: Int, rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) {
    preconditionFailure("dark \(index) of none")
  }
}

/// Opens TIFF files as a scan: angles are as somebody says, or half a turn.
func openImages(
  _ path: String, _ spacing: ThetaSpacing, _ selection: ScanSelection
) throws(FileError) -> any ScanReader {
  guard selection.entry == nil, !selection.namesDatasets else {
    throw .badData(
      path: path,
      reason: "these are TIFF files, and --entry, --data-path, --image-key-path and --theta-path are about "
        + "HDF5 files")
  }
  let images = try TIFFImages(ImageFiles.list(path), isStrict: selection.isStrict)
  let thetas = try Thetas(spacing, count: images.planned, path: path).keeping(images.numbers)
  return TIFFScanReader(path, images, thetas)
}
