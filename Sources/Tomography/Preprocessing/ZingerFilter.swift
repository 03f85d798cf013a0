/// Removes zingers from a projection: pixels that a stray X-ray or particle made far too bright, in one projection
/// only.
///
/// A pixel v is a zinger where v > m + threshold · max(m, 1/32), m the median of the 5 × 5 pixels around it; it becomes
/// m. Values are transmissions, 1 where there is no sample: behind opaque matter, where m is small against the noise, a
/// zinger must stand out as from 1/32. Beyond the projection's edges the outermost pixels are repeated.
package final class ZingerFilter: @unchecked Sendable {
  /// Thresholds that make sense.
  package static let thresholds = 0.01...100.0

  private static let radius = 2
  private static let floor: Float = 1 / 32
  private static let bandRows = 32

  private let rows: Int
  private let columns: Int
  private let threshold: Float
  private let pitch: Int
  private let memory: ScratchMemory

  /// For projections of `rows` × `columns` pixels.
  package init(rows: Int, columns: Int, threshold: Double) {
    precondition(rows > 0 && columns > 0 && threshold > 0, "\(rows) × \(columns) pixels, threshold \(threshold)")
    self.rows = rows
    self.columns = columns
    self.threshold = Float(threshold)
    pitch = columns + 2 * Self.radius
    memory = ScratchMemory(byteCount: Self.byteCount(rows: rows, columns: columns))
  }

  /// Bytes of the filter's buffers.
  package static func byteCount(rows: Int, columns: Int) -> Int {
    let bands = (rows + bandRows - 1) / bandRows
    return ((rows + 2 * radius) * (columns + 2 * radius) + bands * 2 * columns) * MemoryLayout<Float>.stride
  }

  /// Filters one projection in place; returns how many zingers it had. Values are finite. Not to be called by two
  /// threads at once; the executor's threads share the work.
  package func apply(_ image: UnsafeMutablePointer<Float>, executor: some Executor) -> Int {
    let bands = (rows + Self.bandRows - 1) / Self.bandRows
    var counts = [Int](repeating: 0, count: bands)
    // Sound: each item writes its own rows and its own count, and reads the copy that was complete before.
    nonisolated(unsafe) let (image, padded) = (image, memory.start.assumingMemoryBound(to: Float.self))
    executor.forEach(count: rows) { self.copy(image, row: $0, into: padded) }
    for edge in 0..<Self.radius {
      (padded + edge * pitch).update(from: padded + Self.radius * pitch, count: pitch)
      (padded + (rows + Self.radius + edge) * pitch).update(
        from: padded + (rows + Self.radius - 1) * pitch, count: pitch)
    }
    counts.withUnsafeMutableBufferPointer { counts in
      nonisolated(unsafe) let counts = counts
      executor.forEach(count: bands) { counts[$0] = self.filter(band: $0, padded, image) }
    }
    return counts.reduce(0, +)
  }

  private func copy(_ image: UnsafePointer<Float>, row: Int, into padded: UnsafeMutablePointer<Float>) {
    let (source, target) = (image + row * columns, padded + (row + Self.radius) * pitch)
    target.update(repeating: source[0], count: Self.radius)
    (target + Self.radius).update(from: source, count: columns)
    (target + Self.radius + columns).update(repeating: source[columns - 1], count: Self.radius)
  }

  private func filter(band: Int, _ padded: UnsafePointer<Float>, _ image: UnsafeMutablePointer<Float>) -> Int {
    let scratch =
      memory.start.assumingMemoryBound(to: Float.self) + (rows + 2 * Self.radius) * pitch + band * 2 * columns
    // Sound: as many Int32 as floats fit.
    let (limits, below) = (scratch, UnsafeMutableRawPointer(scratch + columns).assumingMemoryBound(to: Int32.self))
    let edge = 2 * Self.radius + 1
    var count = 0
    for row in band * Self.bandRows..<min((band + 1) * Self.bandRows, rows) {
      limit(image + row * columns, into: limits)
      below.update(repeating: 0, count: columns)
      for y in 0..<edge {
        for x in 0..<edge { countBelow(limits, padded + (row + y) * pitch + x, into: below) }
      }
      for column in 0..<columns where below[column] > Int32(edge * edge / 2) {
        image[row * columns + column] = localMedian(padded + row * pitch + column)
        count += 1
      }
    }
    return count
  }

  /// The value is a zinger exactly where the median is below this.
  private func limit(_ values: UnsafePointer<Float>, into limits: UnsafeMutablePointer<Float>) {
    let (factor, floor, offset) = (1 / (1 + threshold), Self.floor, threshold * Self.floor)
    var column = 0
    while column < columns {
      let value = values[column], relative = value * factor
      limits[column] = relative >= floor ? relative : value - offset
      column &+= 1
    }
  }

  /// The median of 25 values is below a limit exactly where 13 of them are: no value needs to be sorted unless it is a
  /// zinger's.
  private func countBelow(
    _ limits: UnsafePointer<Float>, _ values: UnsafePointer<Float>, into counts: UnsafeMutablePointer<Int32>
  ) {
    var column = 0
    while column < columns {
      counts[column] &+= values[column] < limits[column] ? 1 : 0
      column &+= 1
    }
  }

  private func localMedian(_ corner: UnsafePointer<Float>) -> Float {
    let edge = 2 * Self.radius + 1
    return withUnsafeTemporaryAllocation(of: Float.self, capacity: edge * edge) { values in
      for y in 0..<edge {
        for x in 0..<edge { values[y * edge + x] = corner[y * pitch + x] }
      }
      return median(values.baseAddress!, count: edge * edge)
    }
  }
}
