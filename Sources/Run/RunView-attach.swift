import Host
import Rings
import RunModel
import ScanPlan
import Stages

extension RunView {
  /// Attaches to the memory of a run that another process of this user supervises; nil where it has none now. Nothing
  /// in it is ever written.
  /// - Throws: where its plan cannot be read, or its memory is not complete yet.
  package static func attach(to folder: RunFolder) throws -> RunView? {
    let plan = try folder.readPlan()
    for names in try RegionNames.find(plan.runID) where try RegionLock.isHeld(name: names.lock) {
      var rings: [Topic: Ring] = [:]
      for topic in plan.wiring.topics {
        rings[topic] = try Ring.attach(name: names.ring(topic), expecting: plan.identity(of: topic))
      }
      return try RunView(plan: plan, folder: folder, names: names, rings: rings)
    }
    return nil
  }
}
