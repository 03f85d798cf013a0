// What stays of a run that ends without a result.
extension Supervisor {
  /// Its status: how far it was when it was last looked at. `now` is what the supervisor knows without the regions.
  func failed(_ now: RunStatus) -> RunStatus {
    guard var status = newestStatus else { return now }
    (status.phase, status.seconds, status.missingRows) = (.failed, now.seconds, now.missingRows)
    // Nobody waits any more.
    status.withoutRoom = []
    status.stages = zip(now.stages, status.stages).map { stage, before in
      var stage = stage
      (stage.epoch, stage.cursor, stage.lag) = (before.epoch, before.cursor, before.lag)
      return stage
    }
    return status
  }
}
