import Foundation
import Host

/// What the files of a Zarr group say of the volume in it, as `ZarrMetadata` writes them.
struct ZarrGroupDescription {
  let version: OMEZarrVersion
  /// The folder of the finest level.
  let finest: String
  private(set) var voxelSizeMillimetres: Double?
  private(set) var unit: String?

  static let byteCountMax = 4 << 20

  init(_ folder: borrowing OpenFolder) throws(FileError) {
    guard let version = OMEZarrVersion.allCases.first(where: { folder.has($0.groupFile) }) else {
      throw .badData(path: folder.path, reason: "it is no OME-Zarr volume: it has neither zarr.json nor .zattrs")
    }
    let name = version.groupFile
    let root = try JSONObject(folder, name)
    let attributes = version == .v05 ? root.object("attributes") : root
    let ome = version == .v05 ? attributes?.object("ome") : attributes
    guard let scales = ome?.objects("multiscales")?.first, let dataset = scales.objects("datasets")?.first,
      let finest = dataset.text("path"), Self.isPlain(finest)
    else { throw .badData(path: "\(folder.path)/\(name)", reason: "it names no level of a volume") }
    (self.version, self.finest) = (version, finest)
    let units = scales.objects("axes")?.compactMap { $0.text("unit") } ?? []
    let scale = dataset.objects("coordinateTransformations")?.first { $0.text("type") == "scale" }?.numbers("scale")
    if units == ["micrometer", "micrometer", "micrometer"], let size = scale?.last, size > 0, size.isFinite {
      voxelSizeMillimetres = size / 1000
    }
    unit = attributes?.object("slipring")?.text("units")
  }

  /// A folder in the volume's and nowhere else.
  private static func isPlain(_ name: String) -> Bool {
    name.wholeMatch(of: /[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}/) != nil
  }
}

/// How a level of a Zarr volume lies on disk.
struct ZarrLevelDescription {
  /// Voxels along z, y and x; a slice is square.
  let shape: [Int]
  /// The same of a chunk.
  let chunk: [Int]
  private let version: OMEZarrVersion
  private let folder: String
  private let separator: String

  /// A chunk is held in memory.
  private static let chunkVoxelsMax = 1 << 26

  init(_ folder: borrowing OpenFolder, _ group: ZarrGroupDescription) throws(FileError) {
    (version, self.folder) = (group.version, group.finest)
    let name = "\(group.finest)/\(group.version.arrayFile)", file = "\(folder.path)/\(name)"
    let array = try JSONObject(folder, name)
    func bad(_ reason: String) -> FileError { .badData(path: file, reason: reason) }
    let chunk: [Int]?
    let isAsWritten: Bool
    switch group.version {
    case .v05:
      chunk = array.object("chunk_grid")?.object("configuration")?.wholes("chunk_shape")
      let codecs = array.objects("codecs") ?? []
      isAsWritten =
        array.text("data_type") == "float32" && codecs.map { $0.text("name") } == ["bytes", "zstd"]
        && codecs[0].object("configuration")?.text("endian") == "little"
      separator = array.object("chunk_key_encoding")?.object("configuration")?.text("separator") ?? "/"
    case .v04:
      chunk = array.wholes("chunks")
      isAsWritten =
        array.text("dtype") == "<f4" && array.text("order") == "C" && array.object("compressor")?.text("id") == "zstd"
        && !array.hasValue("filters")
      separator = array.text("dimension_separator") ?? "."
    }
    guard isAsWritten, ["/", "."].contains(separator) else {
      throw bad("its voxels are not float32, compressed by zstd alone, as Slipring writes them")
    }
    guard let shape = array.wholes("shape"), let chunk, shape.count == 3, chunk.count == 3,
      (shape + chunk).allSatisfy({ (1...(1 << 24)).contains($0) }), shape[1] == shape[2]
    else { throw bad("it is no volume (z, y, x) with square slices") }
    // Each is below 2²⁴, so that two of them cannot overflow.
    guard chunk[0] * chunk[1] <= Self.chunkVoxelsMax, chunk[0] * chunk[1] * chunk[2] <= Self.chunkVoxelsMax else {
      throw bad("its chunks have \(chunk.map(String.init).joined(separator: " × ")) voxels, too many to be read")
    }
    (self.shape, self.chunk) = (shape, chunk)
  }

  var chunkVoxels: Int { chunk.reduce(1, *) }
  /// Bytes of a compressed chunk.
  var frameByteCountMax: Int { Zstandard.bound(chunkVoxels * MemoryLayout<Float>.stride) }

  /// Where a chunk lies in the volume's folder.
  func chunkPath(_ z: Int, _ y: Int, _ x: Int) -> String {
    let numbers = "\(z)\(separator)\(y)\(separator)\(x)"
    return version == .v05 ? "\(folder)/c\(separator)\(numbers)" : "\(folder)/\(numbers)"
  }
}

extension OMEZarrVersion {
  /// The file that says what a group has in it.
  fileprivate var groupFile: String { self == .v05 ? "zarr.json" : ".zattrs" }
  /// The file that says how a level lies on disk.
  fileprivate var arrayFile: String { self == .v05 ? "zarr.json" : ".zarray" }
}

/// An object of JSON that somebody else may have written.
private struct JSONObject {
  private let values: [String: Any]

  private init(_ values: [String: Any]) { self.values = values }

  init(_ folder: borrowing OpenFolder, _ name: String) throws(FileError) {
    let bytes = try folder.read(name, byteCountMax: ZarrGroupDescription.byteCountMax)
    // Whatever Foundation says of it, it is no JSON.
    guard let values = (try? JSONSerialization.jsonObject(with: Data(bytes))) as? [String: Any] else {
      throw .badData(path: "\(folder.path)/\(name)", reason: "it is no JSON object")
    }
    self.values = values
  }

  func text(_ key: String) -> String? { values[key] as? String }
  func object(_ key: String) -> JSONObject? { (values[key] as? [String: Any]).map(JSONObject.init) }
  func objects(_ key: String) -> [JSONObject]? { (values[key] as? [[String: Any]])?.map(JSONObject.init) }
  func wholes(_ key: String) -> [Int]? { values[key] as? [Int] }
  func numbers(_ key: String) -> [Double]? { values[key] as? [Double] }
  func hasValue(_ key: String) -> Bool { values[key] != nil && !(values[key] is NSNull) }
}
