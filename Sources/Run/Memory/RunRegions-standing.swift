import Rings
import RunModel
import Stages

// What becomes of a worker's place in the run's shared memory when nobody is to wait for it.
extension RunRegions {
  /// How far a stage is, in events that it has applied or published: whoever gets on at all has a higher number. With
  /// it, whether there is something that it has not applied.
  func progress(of stage: StageName) -> (done: UInt64, hasWork: Bool) {
    var (done, hasWork) = (UInt64(0), false)
    for (topic, _) in wiring.inputs(of: stage) {
      guard let ring = rings[topic], let reader = wiring.readerNumber(of: stage, in: topic),
        let cursor = ring.cursor(ofReader: reader)
      else { continue }
      done &+= cursor
      if wiring.works(stage, on: topic), cursor < ring.progress.published { hasWork = true }
    }
    for topic in wiring.outputs(of: stage) { done &+= rings[topic]?.progress.published ?? 0 }
    return (done, hasWork)
  }

  /// Takes a worker out of the rings that it reads: what it has not read is on disk, or stays where everything stays.
  /// To be called when its process was reaped.
  func setAside(_ stage: StageName) throws {
    for (ring, reader) in readers(of: stage) { try ring.retire(reader: reader) }
    set(.setAside, stage)
  }

  /// Has a worker's successor find its place in the rings again, and others expect its rows. To be called when the
  /// writers of what it reads have ended.
  func readmit(_ stage: StageName) throws {
    for (ring, reader) in readers(of: stage) { try ring.readmit(reader: reader, keepingAll: !isDurable) }
    set(.expected, stage)
  }

  /// Says that nothing more comes of a worker. To be called when its process was reaped.
  func giveUp(_ stage: StageName) { set(.missing, stage) }

  private func readers(of stage: StageName) -> [(ring: Ring, reader: Int)] {
    wiring.inputs(of: stage).compactMap { topic, _ in
      guard let ring = rings[topic], let reader = wiring.readerNumber(of: stage, in: topic) else { return nil }
      return (ring, reader)
    }
  }

  private func set(_ standing: WorkerStanding, _ stage: StageName) {
    guard let number = wiring.stages.firstIndex(of: stage) else { preconditionFailure("\(stage) is not wired") }
    heartbeats.set(standing, of: number)
  }
}
