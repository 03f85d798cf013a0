internal import Host

/// How long a simulated machine goes on.
package final class SimulatedPower {
  /// The operations that its disks still carry out.
  package var operationsLeft: Int

  /// Power for so many.
  package init(operations: Int) { operationsLeft = operations }
}

/// A disk in memory that outlives simulated processes and power cuts, and misbehaves as planned.
///
/// Each sector holds what it held when it was last synced and what was written since. A power cut keeps any subset of
/// what was written since, of the folder's entries as well.
package final class SimulatedDisk {
  /// The unit that survives a power cut or does not.
  static let sectorByteCount = 512

  /// The bytes that files may take together; more is ENOSPC.
  package var capacity: Int
  /// What goes wrong.
  package var plan: FaultPlan
  /// Counts down with every operation, on all disks of the machine; at its end every one fails. Nil for no end.
  package var power: SimulatedPower?
  private var counts: [FaultPlan.Operation: Int] = [:]
  private var choices: UInt64

  final class Node {
    var current: [UInt8]
    var durable: [UInt8]
    /// Sectors whose `current` differs from `durable`, or may.
    var dirty: Set<Int> = []
    /// Whether size and allocation are durable.
    var isSynced = false
    /// The device that has the lock.
    var owner: Int?

    init(byteCount: Int) {
      current = Array(repeating: 0, count: byteCount)
      durable = current
    }
  }

  private enum FolderChange {
    case link(String, Node)
    case unlink(String)
    case rename(String, String)
    case exchange(String, String)
  }

  private(set) var nodes: [String: Node] = [:]
  private var durableNodes: [String: Node] = [:]
  private var folderChanges: [FolderChange] = []

  /// Writes of killed processes that have not landed, by device.
  private var orphans: [Int: [(node: Node, offset: Int, bytes: [UInt8])]] = [:]
  private(set) var alive: Set<Int> = []
  private var devicesMade = 0
  var folderOwner: Int?

  /// An empty disk.
  package init(plan: FaultPlan = FaultPlan(), capacity: Int = 1 << 30) {
    self.plan = plan
    self.capacity = capacity
    choices = plan.seed
  }

  /// How many operations of a kind there were.
  package func count(_ operation: FaultPlan.Operation) -> Int { counts[operation, default: 0] }

  /// The bytes of a file as a read would find them.
  package func bytes(of name: String) -> [UInt8]? { nodes[name]?.current }

  /// The names in the folder.
  package var names: [String] { nodes.keys.sorted() }

  /// Changes a file behind the back of its owner, durably.
  package func overwrite(_ name: String, _ change: (inout [UInt8]) -> Void) {
    guard let node = nodes[name] else { preconditionFailure("there is no \(name)") }
    change(&node.current)
    node.durable = node.current
    node.dirty.removeAll()
  }

  /// Removes a file behind the back of its owner, durably.
  package func remove(_ name: String) {
    nodes[name] = nil
    durableNodes[name] = nil
  }

  /// How many sectors are not durable; the order is that of names and offsets.
  package var unsyncedSectorCount: Int { nodes.values.reduce(0) { $0 + $1.dirty.count } }

  /// Takes power away: every process ends, and of what was not synced survives what `keeps` says, asked once for each
  /// sector in the order of names and offsets, then for each change of the folder in its order. Without `keeps` the
  /// plan's seed decides.
  package func cutPower(keeps: ((Int) -> Bool)? = nil) {
    orphans.removeAll()
    alive.removeAll()
    folderOwner = nil
    var asked = 0
    func survives() -> Bool {
      defer { asked += 1 }
      return keeps?(asked) ?? (next() & 1 == 0)
    }
    for name in nodes.keys.sorted() { nodes[name]?.loseUnsynced(survives) }
    var survivors = durableNodes
    for change in folderChanges where survives() { Self.apply(change, to: &survivors) }
    folderChanges.removeAll()
    nodes = survivors
    durableNodes = survivors
    for node in nodes.values {
      if !node.isSynced, !survives() { node.current.removeAll() }
      node.durable = node.current
      node.dirty.removeAll()
      node.isSynced = true
      node.owner = nil
    }
  }

  /// Lets the writes of killed processes reach the disk.
  package func landOrphans() {
    for device in orphans.keys.sorted() { land(device) }
  }
}

extension SimulatedDisk.Node {
  func loseUnsynced(_ survives: () -> Bool) {
    for sector in dirty.sorted() where !survives() { revert(sector) }
    dirty.removeAll()
  }

  func revert(_ sector: Int) {
    let start = sector * SimulatedDisk.sectorByteCount
    let end = min(start + SimulatedDisk.sectorByteCount, current.count)
    guard start < end else { return }
    current.replaceSubrange(start..<end, with: durable[start..<end])
  }

  func store(_ bytes: UnsafeRawBufferPointer, at offset: Int) {
    let end = min(offset + bytes.count, current.count)
    guard offset < end else { return }
    current.withUnsafeMutableBytes { $0[offset..<end].copyBytes(from: bytes.prefix(end - offset)) }
    for sector in offset / SimulatedDisk.sectorByteCount...(end - 1) / SimulatedDisk.sectorByteCount {
      dirty.insert(sector)
    }
  }

  func makeDurable() {
    for sector in dirty {
      let start = sector * SimulatedDisk.sectorByteCount
      let end = min(start + SimulatedDisk.sectorByteCount, current.count)
      durable.replaceSubrange(start..<end, with: current[start..<end])
    }
    dirty.removeAll()
    isSynced = true
  }
}

// What devices ask of the disk.
extension SimulatedDisk {
  /// SplitMix64 (Steele, Lea and Flood, 2014).
  private func next() -> UInt64 {
    choices &+= 0x9E37_79B9_7F4A_7C15
    var value = choices
    value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
    return value ^ value >> 31
  }

  func join() -> Int {
    devicesMade += 1
    alive.insert(devicesMade)
    return devicesMade
  }

  /// The process of `device` ended; what it had submitted lands later, and its locks last as long.
  func leave(_ device: Int, writes: [(node: Node, offset: Int, bytes: [UInt8])]) {
    alive.remove(device)
    if folderOwner == device { folderOwner = nil }
    orphans[device] = writes
    if writes.isEmpty { land(device) }
  }

  /// Whether `device` may lock `node`: the writes of a dead owner land first.
  func lock(_ node: Node, for device: Int) -> Bool {
    if let owner = node.owner, owner != device {
      if alive.contains(owner) { return false }
      land(owner)
    }
    node.owner = device
    return true
  }

  private func land(_ device: Int) {
    for write in orphans.removeValue(forKey: device) ?? [] {
      write.bytes.withUnsafeBytes { write.node.store($0, at: write.offset) }
    }
    for node in nodes.values where node.owner == device { node.owner = nil }
  }

  /// Counts an operation, and says what is planned for it.
  func strike(_ operation: FaultPlan.Operation) -> FaultPlan.Effect? {
    let number = counts[operation, default: 0]
    counts[operation] = number + 1
    if let power {
      guard power.operationsLeft > 0 else { return .error(Errno(rawValue: 5)) }  // EIO
      power.operationsLeft -= 1
    }
    return plan.effect(operation, number)
  }

  var usedByteCount: Int { nodes.values.reduce(0) { $0 + $1.current.count } }

  func add(_ name: String, _ node: Node) {
    nodes[name] = node
    folderChanges.append(.link(name, node))
  }

  func rename(_ name: String, to newName: String) {
    let change = FolderChange.rename(name, newName)
    Self.apply(change, to: &nodes)
    folderChanges.append(change)
  }

  func exchange(_ name: String, _ other: String) {
    let change = FolderChange.exchange(name, other)
    Self.apply(change, to: &nodes)
    folderChanges.append(change)
  }

  func unlink(_ name: String) {
    nodes[name] = nil
    folderChanges.append(.unlink(name))
  }

  func syncFolder() {
    durableNodes = nodes
    folderChanges.removeAll()
  }

  /// A sync failed: some sectors are lost, and no later sync knows of it.
  func failSync(_ node: Node) {
    for sector in node.dirty.sorted() where next() & 1 == 0 { node.revert(sector) }
    for sector in node.dirty {
      let start = sector * Self.sectorByteCount
      let end = min(start + Self.sectorByteCount, node.current.count)
      node.durable.replaceSubrange(start..<end, with: node.current[start..<end])
    }
    node.dirty.removeAll()
  }

  private static func apply(_ change: FolderChange, to nodes: inout [String: Node]) {
    switch change {
    case .link(let name, let node): nodes[name] = node
    case .unlink(let name): nodes[name] = nil
    case .exchange(let name, let other):
      if let first = nodes[name], let second = nodes[other] { (nodes[name], nodes[other]) = (second, first) }
    case .rename(let name, let newName): if let node = nodes.removeValue(forKey: name) { nodes[newName] = node }
    }
  }
}
