import Detectors

// The last status.
extension Supervisor {
  /// How the run is once all stages have ended.
  func lastStatus(
    _ regions: RunRegions, from start: ContinuousClock.Instant, _ observer: inout ProgressObserver
  ) throws -> RunStatus {
    // A run whose volume lacks rows can be resumed, as any other that failed.
    let phase = missing.isEmpty ? RunStatus.Phase.finished : .failed
    var finished = status(at: start, phase)
    watchUplink(&finished)
    try observer.update(&finished)
    finished.phase = phase
    watchSource(regions, &finished)
    watchOptional(regions, &finished)
    finished.unseenTriggers = unseenTriggers(regions)
    if let losses = try folder.readLosses() { finished.losses = losses.counts }
    finished.secondsWithoutRoom = room.duration(at: .now) / .seconds(1)
    watchCopies(&finished)
    endScrub(scrubber, &finished)
    endCoding(coder, &finished)
    return finished
  }
}
