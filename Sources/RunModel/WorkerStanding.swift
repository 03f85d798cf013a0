/// What a run expects of a worker. Only its supervisor changes it.
package enum WorkerStanding: String, Codable, Sendable {
  /// Its rows, as of every worker.
  case expected
  /// Nothing for now: it could not live, nobody waits for it, and it is tried once more after the scan.
  case setAside = "set aside"
  /// Nothing any more: its rows are missing in the volume.
  case missing
}
