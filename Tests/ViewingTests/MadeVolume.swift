import KernelTypes
import Viewing

/// A volume whose voxels are computed.
final class MadeVolume: ViewedVolume {
  let name = "made"
  let (slices, columns): (Int, Int)
  let voxelSizeMillimetres: Double? = nil
  let unit = ""
  let axes = CutAxis.allCases
  let isLive = false
  let identity: UInt64 = 7
  let generations: [UInt64] = [1]
  private let voxel: (_ z: Int, _ y: Int, _ x: Int) -> Float

  init(slices: Int, columns: Int, _ voxel: @escaping (_ z: Int, _ y: Int, _ x: Int) -> Float) {
    (self.slices, self.columns, self.voxel) = (slices, columns, voxel)
  }

  func plane(_ axis: CutAxis, at index: Int, edgeMax: Int) throws(PlaneMissing) -> Plane {
    let size = size(of: axis), step = (max(size.columns, size.rows) + edgeMax - 1) / edgeMax
    let places = { (count: Int) in Array(stride(from: step / 2, to: count, by: step)) }
    let (across, down) = (places(size.columns), places(size.rows))
    let values = down.flatMap { line in
      across.map { pixel in
        switch axis {
        case .z: voxel(index, line, pixel)
        case .y: voxel(line, index, pixel)
        case .x: voxel(pixel, line, index)
        }
      }
    }
    return Plane(columns: across.count, rows: down.count, values: values, generations: generations)
  }
}
