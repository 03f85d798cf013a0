import KernelTypes
import Viewing

/// What a viewer asks first.
struct VolumeInfo: Encodable {
  /// One direction of cuts.
  struct Cuts: Encodable {
    let axis: String
    /// How many there are.
    let count: Int
    let columns: Int
    let rows: Int
    let levels: Int
  }

  let name: String
  let slices: Int
  let columns: Int
  let tile = PlanePyramid.tileEdge
  let cuts: [Cuts]
  /// Millimetres; nil where nobody knows.
  let voxel: Double?
  let unit: String
  let isLive: Bool
  let others: [String]

  init(_ source: any ViewedVolume, others: [String]) {
    (name, slices, columns) = (source.name, source.slices, source.columns)
    (voxel, unit) = (source.voxelSizeMillimetres, source.unit)
    (isLive, self.others) = (source.isLive, others)
    cuts = source.axes.map { axis in
      let size = source.size(of: axis)
      return Cuts(
        axis: axis.rawValue, count: source.count(along: axis), columns: size.columns, rows: size.rows,
        levels: PlanePyramid.levelCount(columns: size.columns, rows: size.rows))
    }
  }
}

/// What a plane's values are.
struct StatsAnswer: Encodable {
  let version: String
  /// Whether the volume may still change: the page of a run that has ended learns so that there is a file.
  let isLive: Bool
  let count: Int
  let notFinite: Int
  let low: Float
  let high: Float
  let counts: [Int]
  let percents = PlaneStatistics.shown
  let percentiles: [Double]

  init(_ tag: VersionTag, isLive: Bool, _ statistics: PlaneStatistics) {
    (version, self.isLive) = (tag.description, isLive)
    (count, notFinite, low, high) = (statistics.count, statistics.notFinite, statistics.low, statistics.high)
    (counts, percentiles) = (statistics.counts, statistics.percentiles)
  }
}

/// What the values in a rectangle are; without figures where none is a finite number.
struct RegionAnswer: Encodable {
  let version: String
  let count: Int
  let mean: Double?
  let deviation: Double?
  let low: Float?
  let high: Float?

  init(_ tag: VersionTag, _ measure: RegionMeasure?) {
    version = tag.description
    (count, mean, deviation) = (measure?.count ?? 0, measure?.mean, measure?.deviation)
    (low, high) = (measure?.low, measure?.high)
  }
}

/// The values along a line; null where one is no finite number.
struct LineAnswer: Encodable {
  let version: String
  let values: [Float?]

  init(_ tag: VersionTag, _ values: [Float]) {
    version = tag.description
    self.values = values.map { $0.isFinite ? $0 : nil }
  }
}
