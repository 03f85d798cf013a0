/// When a series that is being made will be over, as what it has shown so far goes on.
struct SeriesForecast: Equatable {
  /// Seconds until the projections of a live scan that are missing have come; nil where none is awaited, or none came.
  let scan: Double?
  /// Seconds until all volumes are there; nil before the first one is.
  let volumes: Double?

  /// - Parameters:
  ///   - projections: of a live scan, those of it, how many of them have come or are lost, and seconds since its first
  ///     frame; nil where no more are awaited.
  ///   - made: seconds that each volume took.
  ///   - left: volumes that are not there.
  ///   - running: seconds since the run of the next one began; nil between two runs.
  init(projections: (all: Int, passed: Int, seconds: Double)?, made: [Double], left: Int, running: Double?) {
    if let (all, passed, seconds) = projections, passed > 0, seconds > 0 {
      scan = Double(max(0, all - passed)) * seconds / Double(passed)
    } else {
      scan = nil
    }
    // The latest knows best how fast frames come, and what else the machine does.
    guard let each = made.last else {
      volumes = nil
      return
    }
    // One that takes longer than the last will be over soon.
    let next = left > 0 ? max(each - (running ?? 0), 0) : 0
    volumes = max(scan ?? 0, next + each * Double(max(0, left - 1)))
  }
}
