/// The median of the cube around each voxel; beyond the volume's faces the outermost voxels are repeated.
struct MedianCube {
  let radius: Int

  /// Filters rows of one slice into `output`, which is their first.
  func filter(_ stack: SliceStack, slice: Int, rows: Range<Int>, into output: UnsafeMutablePointer<Float>) {
    let columns = stack.columns, edge = 2 * radius + 1
    withUnsafeTemporaryAllocation(of: Float.self, capacity: edge * edge * edge) { values in
      let values = values.baseAddress!
      withUnsafeTemporaryAllocation(of: UnsafePointer<Float>.self, capacity: edge * edge) { lines in
        for row in rows {
          var line = 0
          for z in slice - radius...slice + radius {
            for y in row - radius...row + radius {
              lines[line] = stack.row(y, ofSlice: z)
              line += 1
            }
          }
          for column in 0..<columns {
            var count = 0
            for x in column - radius...column + radius {
              let x = min(max(x, 0), columns - 1)
              for line in lines {
                values[count] = line[x]
                count &+= 1
              }
            }
            output[(row - rows.lowerBound) * columns + column] = median(values, count: count)
          }
        }
      }
    }
  }
}

/// The middle one of an odd number of values, the upper middle one of an even number. Reorders them.
///
/// C. A. R. Hoare, Algorithm 65: Find, Comm. ACM 4 (1961) 321–322. Values are finite; NaN gives any of them, and the
/// search still ends.
func median(_ values: UnsafeMutablePointer<Float>, count: Int) -> Float {
  let middle = count / 2
  var (low, high) = (0, count &- 1)
  while low < high {
    let pivot = values[(low &+ high) / 2]
    var (left, right) = (low, high)
    while left <= right {
      while left < high, values[left] < pivot { left &+= 1 }
      while right > low, values[right] > pivot { right &-= 1 }
      guard left <= right else { break }
      (values[left], values[right]) = (values[right], values[left])
      left &+= 1
      right &-= 1
    }
    if middle <= right {
      high = right
    } else if middle >= left {
      low = left
    } else {
      break
    }
  }
  return values[middle]
}
