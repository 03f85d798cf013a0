internal import CLinux
internal import Glibc

/// A NUMA node: cores and the memory that is near them.
package struct NUMANode: Sendable, Codable, Equatable {
  /// The kernel's number of the node.
  package var id: Int
  /// The cores of the node that this process may use, ascending; may be empty.
  package var cores: [Int]
  /// The node's memory in bytes.
  package var memoryByteCount: Int

  /// A node as given.
  package init(id: Int, cores: [Int], memoryByteCount: Int) {
    self.id = id
    self.cores = cores
    self.memoryByteCount = memoryByteCount
  }
}

/// Where the cores and the memory of a machine are.
package struct Topology: Sendable, Codable, Equatable {
  /// The nodes, by ascending id; at least one.
  package var nodes: [NUMANode]

  /// A machine as given.
  package init(nodes: [NUMANode]) { self.nodes = nodes }

  /// This machine, as far as this process may use it (sched_getaffinity). One without NUMA is one node.
  package static func current() throws(HostError) -> Topology {
    let allowed = try Affinity.current()
    var nodes: [NUMANode] = []
    for id in 0..<Int(clinux_numa_node_limit()) {
      let cores: [Int]
      do throws(HostError) {
        cores = try coreList(call: "numa_node_to_cpus", subject: "NUMA node \(id)") {
          clinux_numa_cores(Int32(id), $0)
        }
      } catch .system(_, _, Errno(rawValue: ENOENT)) {
        // Without /sys, as in a chroot, nobody knows where the cores are.
        nodes = []
        break
      }
      let usable = cores.filter(Set(allowed).contains)
      let memory = Int(clinux_numa_memory(Int32(id)))
      if memory > 0 || !usable.isEmpty { nodes.append(NUMANode(id: id, cores: usable, memoryByteCount: memory)) }
    }
    if nodes.isEmpty {
      let memory = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
      nodes = [NUMANode(id: 0, cores: allowed, memoryByteCount: memory)]
    }
    return Topology(nodes: nodes)
  }
}

/// The cores that a thread runs on.
package enum Affinity {
  /// The cores that the calling thread may use, ascending.
  package static func current() throws(HostError) -> [Int] {
    try coreList(call: "sched_getaffinity", subject: "this thread") { clinux_affinity_get($0) }
  }

  /// Confines the calling thread, and the threads that it starts afterwards, to `cores`, of which there is at least
  /// one.
  package static func pin(cores: [Int]) throws(HostError) {
    precondition(!cores.isEmpty, "a thread needs a core")
    let error = clinux_affinity_set(cores.map { Int32(clamping: $0) }, Int32(cores.count))
    guard error == 0 else {
      throw .system(call: "sched_setaffinity", subject: "cores \(cores)", errno: Errno(rawValue: -error))
    }
  }
}

/// The cores for which a C function sets a byte.
private func coreList(
  call: String, subject: String, _ fill: (UnsafeMutablePointer<UInt8>?) -> Int32
) throws(HostError) -> [Int] {
  var isMember = [UInt8](repeating: 0, count: clinux_core_capacity)
  let error: Int32 = isMember.withUnsafeMutableBufferPointer { fill($0.baseAddress) }
  guard error == 0 else { throw .system(call: call, subject: subject, errno: Errno(rawValue: -error)) }
  return isMember.indices.filter { isMember[$0] != 0 }
}
