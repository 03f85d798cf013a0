package import RunModel
package import ScanFiles

/// What the export writes, and where.
package struct ExportConfiguration: Sendable {
  /// What a TIFF sample is.
  package enum Sample: Sendable {
    /// The values.
    case float32
    /// 0…65,535 over the range of the export.
    case uint16
    /// 0…255 over the range of the export.
    case uint8
  }

  /// What is written of the denoised volume, beside the other one.
  package struct Denoised: Sendable {
    /// Name of the HDF5 file without folder; nil for none.
    var hdf5Name: String?
    /// Name of the Zarr folder; nil for none.
    var zarrName: String?
    /// How it was denoised, for people.
    var words: String

    /// As given.
    package init(hdf5Name: String?, zarrName: String? = nil, words: String) {
      (self.hdf5Name, self.zarrName, self.words) = (hdf5Name, zarrName, words)
    }
  }

  /// An existing folder.
  var folder: String
  /// Name of the HDF5 file without folder; nil for none.
  package var hdf5Name: String?
  /// What the names of slices begin with, and what is in them.
  private(set) var tiffPrefix = "recon"
  private(set) var quantity = "attenuation"
  /// What a TIFF holds; nil for no TIFF files.
  package var tiff: Sample?
  /// The number in the first slice's file name.
  var firstSlice: Int
  /// The row of the images that it is made of.
  package var firstRow = 0
  /// The unit of a voxel, as in `1/pixel`, and the factor from 1/pixel to it.
  var unit: String
  /// See `unit`.
  var scale: Float
  /// Facts about the run that go into the HDF5 file: name and value.
  package var attributes: [String: String]
  /// Whether everything is read back and compared once it is written.
  var checks: Bool
  /// Flat and dark fields of the scan.
  var fields: Int
  /// Windowed updates of a complete scan.
  var windowUpdates: Int
  /// Iterations after it.
  var finalIterations: Int
  /// What is written of the denoised volume; nil where there is none.
  var denoised: Denoised?
  /// The scan behind the volume.
  package var about = VolumeDescription()
  /// What integers stand for.
  package var range = SampleRange.standard
  /// Whether integers hold what zero is outside the inscribed disk, whatever the volume has there.
  package var masksIntegers = false
  /// Name of the Zarr folder without the folder it is in, and its version; nil for none.
  package var zarr: (name: String, version: OMEZarrVersion)?
  /// Whether projections in float were asked for.
  package var asksForFloat = false
  /// Slices of each part that has a checksum of its own; nil where only the whole has one.
  package var partSlices: Int?
  /// What the levels of updates are called.
  package var levels = SlowLadder.standard.levels
  /// Whether the chunks of the HDF5 file are compressed.
  package var compresses = false

  /// A configuration; the names were checked by whoever made it.
  package init(
    folder: String, hdf5Name: String?, tiff: Sample?, firstSlice: Int, unit: String, scale: Float,
    attributes: [String: String],
    checks: Bool, fields: Int, windowUpdates: Int, finalIterations: Int, denoised: Denoised?
  ) {
    self.folder = folder
    self.hdf5Name = hdf5Name
    self.tiff = tiff
    self.firstSlice = firstSlice
    self.unit = unit
    self.scale = scale
    self.attributes = attributes
    self.checks = checks
    self.fields = fields
    self.windowUpdates = windowUpdates
    self.finalIterations = finalIterations
    self.denoised = denoised
  }

  /// Says how many projections of the scan came.
  /// `thetas` are those of a live source's projections, in radians.
  package mutating func came(projections: Int, thetas: [Double]? = nil) {
    (about.projections, about.thetas) = (projections, thetas)
  }

  /// Says where the rotation axis is, in pixels of the detector, and what is wrong with it.
  package mutating func note(axis: FoundAxis) {
    about.rotationAxis = axis.axis
    attributes["rotation_axis"] = "\(axis.axis)"
    if axis.error > 0 { attributes["rotation_axis_error"] = "\(axis.error)" }
    if !axis.isSure { attributes["rotation_axis_warning"] = axis.words }
  }

  /// Names of all files of a volume of so many slices, slices first; those of the denoised volume follow.
  package func names(slices: Int) -> [String] {
    ownNames(slices: slices) + (denoised.map { denoised($0, noise: 0).ownNames(slices: slices) } ?? [])
  }

  /// How well a volume fits, in its unit; nil where that is not known.
  package func fit(_ fits: [RowFit]) -> VolumeFit? {
    VolumeFit(fits, unit: scale, firstSlice: firstSlice, asksForFloat: asksForFloat)
  }

  /// How well one slice fits, in words that follow others.
  func words(_ fit: RowFit) -> String {
    let known = [
      ("noise of a line integral", fit.noise), ("weight", fit.weight * scale), ("residual over noise", fit.residual),
    ].filter { $0.1.isFinite }
    return known.map { ", \($0) \($1)" }.joined()
  }

  /// The same without those of the denoised volume.
  func ownNames(slices: Int) -> [String] {
    (tiff == nil ? [] : (0..<slices).map(tiffName)) + (hdf5Name.map { [$0] } ?? []) + (zarr.map { [$0.name] } ?? [])
  }

  /// The name of slice `index`'s file: the number of the row has five digits at least.
  package func tiffName(ofSlice index: Int) -> String {
    let digits = "\(firstSlice + index)"
    return "\(tiffPrefix)_\(String(repeating: "0", count: max(0, 5 - digits.count)))\(digits).tiff"
  }

  /// How the denoised volume is written, which had so much noise.
  func denoised(_ denoised: Denoised, noise: Float) -> ExportConfiguration {
    var other = self
    (other.tiffPrefix, other.quantity, other.hdf5Name) = ("denoised", "denoised attenuation", denoised.hdf5Name)
    other.zarr = denoised.zarrName.flatMap { name in zarr.map { (name: name, version: $0.version) } }
    other.attributes["description", default: ""] += ", denoised by \(denoised.words)"
    other.attributes["denoising"] = denoised.words
    other.attributes["noise"] = "\(noise * scale)"
    return other
  }
}
