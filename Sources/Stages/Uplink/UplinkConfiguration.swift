package import Fabric
package import Rings
package import RunModel

/// How the images of a scan go to its nodes.
package struct UplinkConfiguration: Sendable {
  /// The servers.
  let address: FabricAddress
  /// The topic whose images go there.
  let images: Topic
  /// The same as the fabric names it.
  let topic: FabricTopic
  /// How its rows are cut.
  let granules: Granules
  /// Events of a complete scan, with its end.
  let eventsMax: UInt64
  /// Bytes of a message at most.
  let messageByteCountMax: Int
  /// What nodes are told of the run: it lies in the run's store under `planKey`.
  let plan: [UInt8]
  /// What only all rows show, and the end tells nodes; nil where they do not need it.
  let look: SampleLook?
  /// How long servers may be away after the end of the scan.
  let patience: Duration
  /// How they go up.
  package var policy = UplinkPolicy.keep
  /// Whether the newest projections are shown in fewer pixels beside.
  package var showsPreviews = false
  /// What nodes send back; nil where they keep it.
  package var returned: Returned?
  /// What nodes are to make of it before the edge is done; nil where it waits for none.
  package var wanted: Wanted?
  /// Whether control decides with what nodes say of their slices.
  package var hearsScores = false

  /// Slices of nodes that servers need room for.
  package struct Returned: Equatable, Sendable {
    /// How many.
    let slices: Int
    /// Pixels of one in each direction.
    let columns: Int

    /// The values as given.
    package init(slices: Int, columns: Int) { (self.slices, self.columns) = (slices, columns) }
  }

  /// Granules that an edge waits for.
  package struct Wanted: Equatable, Sendable {
    /// Machines that are expected.
    let nodes: Int
    /// The granules that they make.
    let granules: [Int]
    /// How long parts are waited for without a sign of a node.
    let patience: Duration

    /// The values as given.
    package init(nodes: Int, granules: [Int], patience: Duration) {
      (self.nodes, self.granules, self.patience) = (nodes, granules, patience)
    }
  }

  /// What all lives of this run's uplink have in common.
  let holder: String

  /// The key of the plan.
  package static let planKey = "plan"

  /// The values as given.
  package init(
    address: FabricAddress, run: RunID, images: Topic, granules: Granules, eventsMax: UInt64, messageByteCountMax: Int,
    plan: [UInt8], look: SampleLook?, patience: Duration, holder: String
  ) {
    (self.address, self.images, self.granules, self.eventsMax) = (address, images, granules, eventsMax)
    topic = FabricTopic(run: run, id: images.id, word: images.kind.word)
    (self.messageByteCountMax, self.plan, self.look) = (messageByteCountMax, plan, look)
    (self.patience, self.holder) = (patience, holder)
  }
}
