/// The version of OME-Zarr that a volume is written in, and with it that of Zarr.
package enum OMEZarrVersion: String, CaseIterable, Sendable {
  /// On Zarr 2, which older programs read.
  case v04 = "0.4"
  /// On Zarr 3.
  case v05 = "0.5"
}

/// The files of a Zarr volume that are not chunks (ngff.openmicroscopy.org, zarr-specs.readthedocs.io).
struct ZarrMetadata {
  let layout: ZarrLevels
  let version: OMEZarrVersion
  let about: VolumeDescription
  /// Facts about the run.
  let attributes: [String: String]

  /// Paths in the volume's folder, and their content.
  var files: [(path: String, bytes: [UInt8])] {
    layout.levels.indices.flatMap(files(ofLevel:)) + rootFiles
  }

  /// Where the chunk with the given numbers along z, y and x lies.
  func chunkPath(level: Int, _ z: Int, _ y: Int, _ x: Int) -> String { "\(folder(level: level, z))/\(y)/\(x)" }

  private func folder(level: Int, _ z: Int) -> String { version == .v05 ? "\(level)/c/\(z)" : "\(level)/\(z)" }

  private var rootFiles: [(path: String, bytes: [UInt8])] {
    let run = JSONValue.object(attributes.mapValues(JSONValue.text))
    switch version {
    case .v05:
      let ome: JSONValue = ["version": "0.5", "multiscales": [.object(multiscales)]]
      let group: JSONValue = ["zarr_format": 3, "node_type": "group", "attributes": ["ome": ome, "slipring": run]]
      return [("zarr.json", group.file)]
    case .v04:
      let scales = multiscales.merging(["version": "0.4"]) { $1 }
      let root: JSONValue = ["multiscales": [.object(scales)], "slipring": run]
      return [(".zgroup", JSONValue.object(["zarr_format": 2]).file), (".zattrs", root.file)]
    }
  }

  private var multiscales: [String: JSONValue] {
    var space: [String: JSONValue] = ["type": "space"]
    if about.voxelSizeMillimetres != nil { space["unit"] = "micrometer" }
    let axes = ["z", "y", "x"].map { name in JSONValue.object(space.merging(["name": .text(name)]) { $1 }) }
    return [
      "name": .text(about.name), "axes": .list(axes), "datasets": .list(layout.levels.indices.map(dataset)),
      "type": "mean",
      "metadata": ["description": "each level has the means of blocks of 2 × 2 × 2 voxels of the one before"],
    ]
  }

  /// Edges of a level's voxels, and the position of its first one.
  private func dataset(_ index: Int) -> JSONValue {
    let level = layout.levels[index], size = about.voxel.size
    let factors = [level.depthFactor, level.factor, level.factor].map(Double.init)
    let origins = about.positions(slices: 1, columns: layout.levels[0].columns).map { $0.centres[0] }
    let scale = JSONValue.numbers(factors.map { $0 * size })
    let translation = JSONValue.numbers(zip(origins, factors).map { $0 + ($1 - 1) / 2 * size })
    return [
      "path": .text("\(index)"),
      "coordinateTransformations": [
        ["type": "scale", "scale": scale], ["type": "translation", "translation": translation],
      ],
    ]
  }

  private func files(ofLevel index: Int) -> [(path: String, bytes: [UInt8])] {
    let level = layout.levels[index]
    let shape = JSONValue.wholes([level.slices, level.columns, level.columns])
    let chunk = JSONValue.wholes([layout.depth, layout.edge, layout.edge])
    switch version {
    case .v05:
      let zstandard: JSONValue = ["level": .whole(Zstandard.level), "checksum": .flag(false)]
      let array: JSONValue = [
        "zarr_format": 3, "node_type": "array", "shape": shape, "data_type": "float32",
        "chunk_grid": ["name": "regular", "configuration": ["chunk_shape": chunk]],
        "chunk_key_encoding": ["name": "default", "configuration": ["separator": "/"]],
        "fill_value": .number(0), "dimension_names": ["z", "y", "x"],
        "codecs": [
          ["name": "bytes", "configuration": ["endian": "little"]], ["name": "zstd", "configuration": zstandard],
        ],
      ]
      return [("\(index)/zarr.json", array.file)]
    case .v04:
      let array: JSONValue = [
        "zarr_format": 2, "shape": shape, "chunks": chunk, "dtype": "<f4", "order": "C", "fill_value": .number(0),
        "filters": .null, "dimension_separator": "/",
        "compressor": ["id": "zstd", "level": .whole(Zstandard.level)],
      ]
      return [("\(index)/.zarray", array.file)]
    }
  }
}
