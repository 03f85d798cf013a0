import Glibc
import Rings
import RunModel

// A probe of one topic, as small as one can be: prints the updates of a worker of a run as they are published. It only
// looks, and holds nobody. `UpdateProbe RUN-ID [WORKER]`, where `slipring status` has the identifier.

let arguments = CommandLine.arguments
guard arguments.count > 1, let runID = RunID(arguments[1]),
  let worker = arguments.count > 2 ? Int(arguments[2]) : 0
else {
  print("usage: UpdateProbe RUN-ID [WORKER]")
  exit(64)
}
let topic = Topic.updates(partition: worker)
do {
  guard let names = try RegionNames.find(runID).first else {
    print("UpdateProbe: no run \(runID) of this user is here")
    exit(66)
  }
  let ring = try Ring.attach(
    name: names.ring(topic),
    expecting: RingIdentity(runID: runID, topic: topic.id, partition: UInt32(worker)))
  let observer = RingObserver(ring: ring)
  var next = ring.specification.firstSequence
  while true {
    // Read once: what is published meanwhile belongs to the next turn.
    let published = max(next, ring.progress.published)
    for sequence in next..<published {
      guard let (header, metadata) = try observer.event(at: sequence) else { continue }
      guard header.kind == .update else { exit(0) }
      let update = try metadata.withUnsafeBytes { try UpdateEvent(decoding: $0) }
      print("update \(update.index), projections \(update.projections), generation \(update.generation)")
    }
    next = published
    usleep(10_000)
  }
} catch {
  print("UpdateProbe: \(error)")
  exit(70)
}
