import CLinux
public import KernelTypes

/// Steps a pair of rays takes before its sums are stored.
private let bandSteps = 8
/// Angles that read a tile one after the other while it is in the cache.
private let raysPerGroup = 12
/// Pixels along the minor axis that all angles of a group finish before the next ones.
private let stripe = 8
/// A pair of rays through a band: 16 upper weights and 16 offsets in units of 16 bytes, `[step][ray]`; then where to add, where from, weight.
private let entryByteCount = 3 * 64

/// Projects a block: each bin of each ray's slot becomes the sum over the slice, bin `columns` becomes zero.
///
/// `volume` is pixel (0, 0) and `sinogram` bin 0 of slot 0 of the block. Rays of one kind (swapped or not) stand together; neighbours in
/// the list should have a similar drift. A bin's sum runs over tiles, then over steps: the same for all lanes and lists of rays.
public func forward(
  volume: UnsafeRawPointer, sinogram: UnsafeMutableRawPointer, rays: UnsafeBufferPointer<Ray>, shape: KernelShape
) {
  withUnsafeTemporaryAllocation(byteCount: 2 * entryByteCount + raysPerGroup * 8, alignment: 64) { memory in
    var job = ForwardJob(volume: volume, sinogram: sinogram, rays: rays, shape: shape, memory: memory.baseAddress!)
    switch groupLanes(shape.lanes) {
    case 64: job.run(Lanes64.self)
    case 32: job.run(Lanes32.self)
    case 16: job.run(Lanes16.self)
    default: job.run(Lanes4.self)
    }
  }
}

private struct ForwardJob {
  let volume: UnsafeRawPointer
  let sinogram: UnsafeMutableRawPointer
  let rays: UnsafeBufferPointer<Ray>
  let shape: KernelShape
  /// Two entries: one is built while the sums of the other are still under way.
  var free: UnsafeMutableRawPointer
  var ready: UnsafeMutableRawPointer
  /// Next pair of bins of each ray of the group.
  let cursors: UnsafeMutablePointer<Int>
  var isReady = false
  /// The next tile, brought into the cache line by line as rays are built.
  var upcoming: UnsafeRawPointer
  var upcomingRows = 0
  var upcomingBytes = 0

  init(
    volume: UnsafeRawPointer, sinogram: UnsafeMutableRawPointer, rays: UnsafeBufferPointer<Ray>, shape: KernelShape,
    memory: UnsafeMutableRawPointer
  ) {
    self.volume = volume
    self.sinogram = sinogram
    self.rays = rays
    self.shape = shape
    free = memory
    ready = memory + entryByteCount
    cursors = (memory + 2 * entryByteCount).assumingMemoryBound(to: Int.self)
    upcoming = volume
  }

  @inline(__always) mutating func run<Group: LaneGroup>(_: Group.Type) {
    let pixel = shape.pixelByteCount
    for ray in rays {
      let row = sinogram + ray.slot * shape.sinogramPitch * pixel
      row.initializeMemory(as: UInt8.self, repeating: 0, count: (shape.columns + 1) * pixel)
    }
    var row = 0
    while row < shape.columns {
      var column = 0
      while column < shape.columns {
        upcoming = volume + (row * shape.volumePitch + column + Tile.edge) * pixel
        upcomingRows = Tile.edge
        upcomingBytes = 0
        var first = 0
        while first < rays.count {
          var end = first + 1
          while end < rays.count && end - first < raysPerGroup && rays[end].isSwapped == rays[first].isSwapped { end += 1 }
          tile(first, end, column: column, row: row, Group.self)
          first = end
        }
        column += Tile.edge
      }
      row += Tile.edge
    }
    // An odd last bin shares its pair with the first bin of the margin.
    for ray in rays {
      let margin = sinogram + (ray.slot * shape.sinogramPitch + shape.columns) * pixel
      margin.initializeMemory(as: UInt8.self, repeating: 0, count: pixel)
    }
  }

  /// All bands of a tile for a group of rays of one kind.
  @inline(__always) mutating func tile<Group: LaneGroup>(_ first: Int, _ end: Int, column: Int, row: Int, _: Group.Type) {
    let isSwapped = rays[first].isSwapped
    let minor = isSwapped ? row : column, major = isSwapped ? column : row
    // Rays may enter a band from outside the slice, but never from farther than the band is high.
    let from = minor == 0 ? -bandSteps : minor
    let to = minor + Tile.edge >= shape.columns ? shape.columns + bandSteps : minor + Tile.edge
    var band = major
    while band < min(major + Tile.edge, shape.columns) {
      let middle = Double(band) + 0.5 * Double(bandSteps - 1)
      for number in first..<end { cursors[number - first] = pairIndex(rays[number], minor: from, middle) }
      var position = from
      while position < to {
        position = min(position + stripe, to)
        for number in first..<end {
          let stop = pairIndex(rays[number], minor: position, middle)
          pairs(rays.baseAddress! + number, cursors[number - first], stop, band: band, Group.self)
          cursors[number - first] = stop
        }
      }
      band += bandSteps
    }
    if isReady {
      accumulate(isSwapped, Group.self)
      isReady = false
    }
  }

  /// The first pair of bins, in the direction of the minor axis, at or after `minor`: neighbouring tiles compute the same limit.
  @inline(__always) func pairIndex(_ ray: Ray, minor: Int, _ middle: Double) -> Int {
    let pair = (Double(minor) * ray.across + middle * ray.along + ray.origin) * 0.5
    return Int(pair.rounded(ray.across > 0 ? .up : .down))
  }

  @inline(__always) mutating func pairs<Group: LaneGroup>(
    _ ray: UnsafePointer<Ray>, _ start: Int, _ stop: Int, band: Int, _: Group.Type
  ) {
    let direction = ray.pointee.across > 0 ? 1 : -1
    var pair = start
    while pair != stop {
      if pair >= 0 && pair * 2 < shape.columns {
        build(ray, pair * 2, band: band)
        prefetch()
        if isReady { accumulate(ray.pointee.isSwapped, Group.self) }
        swap(&free, &ready)
        isReady = true
      }
      pair += direction
    }
  }

  /// Weights and offsets of rays `bin` and `bin + 1` through the band.
  @inline(__always) func build(_ ray: UnsafePointer<Ray>, _ bin: Int, band: Int) {
    let unitsPerPixel = shape.lanes / 4, unitsPerRow = shape.volumePitch * unitsPerPixel
    let isSwapped = ray.pointee.isSwapped
    let major = Int32(truncatingIfNeeded: isSwapped ? unitsPerPixel : unitsPerRow)
    let minor = Int32(truncatingIfNeeded: isSwapped ? unitsPerRow : unitsPerPixel)
    let entry = Double(bin) * ray.pointee.inverse + Double(band) * ray.pointee.drift + ray.pointee.start
    let base = entry.rounded(.down)
    let (floor, fraction) = split(ray.pointee.offsets + Float(entry - base))
    let margin = Int32(truncatingIfNeeded: volumeMargin)
    let pixel = clamp(
      floor &+ Int32(truncatingIfNeeded: Int(base) + volumeMargin), Int32(truncatingIfNeeded: shape.columns + volumeMargin))
    let steps = Indices(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7)
    free.storeBytes(of: fraction * ray.pointee.weight, as: Vector.self)
    free.storeBytes(of: (pixel &- margin) &* minor &+ steps &* major, toByteOffset: 64, as: Indices.self)
    let sums = sinogram + (ray.pointee.slot * shape.sinogramPitch + bin) * shape.pixelByteCount
    free.storeBytes(of: sums, toByteOffset: 128, as: UnsafeMutableRawPointer.self)
    free.storeBytes(of: volume + 16 * band * Int(major), toByteOffset: 136, as: UnsafeRawPointer.self)
    free.storeBytes(of: ray.pointee.weight, toByteOffset: 144, as: Float.self)
    free.storeBytes(of: Int32(truncatingIfNeeded: min(bandSteps, shape.columns - band)), toByteOffset: 148, as: Int32.self)
  }

  @inline(__always) mutating func prefetch() {
    guard upcomingRows > 0 else { return }
    for line in 0..<8 { clinux_prefetch(upcoming + upcomingBytes + line * 64) }
    upcomingBytes += 512
    if upcomingBytes >= Tile.edge * shape.pixelByteCount {
      upcomingBytes = 0
      upcomingRows -= 1
      upcoming += shape.volumePitch * shape.pixelByteCount
    }
  }

  /// Adds the ready pair of rays through its band to two bins.
  @inline(__always) func accumulate<Group: LaneGroup>(_ isSwapped: Bool, _: Group.Type) {
    let pixel = shape.pixelByteCount
    let neighbour = isSwapped ? shape.volumePitch * pixel : pixel
    let sums = ready.load(fromByteOffset: 128, as: UnsafeMutableRawPointer.self)
    let source = ready.load(fromByteOffset: 136, as: UnsafeRawPointer.self)
    let weight = ready.load(fromByteOffset: 144, as: Float.self)
    let end = UnsafeRawPointer(ready) + Int(ready.load(fromByteOffset: 148, as: Int32.self)) * 8
    var lane = 0
    while lane < pixel {
      var a = Group(sums + lane), b = Group(sums + pixel + lane)
      let lanes = source + lane
      var tap = UnsafeRawPointer(ready)
      while tap < end {
        let upperA = tap.load(as: Float.self), upperB = tap.load(fromByteOffset: 4, as: Float.self)
        let pixelA = lanes + 16 * Int(tap.load(fromByteOffset: 64, as: Int32.self))
        let pixelB = lanes + 16 * Int(tap.load(fromByteOffset: 68, as: Int32.self))
        a.add(weight - upperA, Group(pixelA))
        b.add(weight - upperB, Group(pixelB))
        a.add(upperA, Group(pixelA + neighbour))
        b.add(upperB, Group(pixelB + neighbour))
        tap += 8
      }
      a.store(sums + lane)
      b.store(sums + pixel + lane)
      lane += Group.byteCount
    }
  }
}
