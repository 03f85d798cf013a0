/// Files of one folder that appear under their names in the order in which they came, each complete or not at all, with
/// one sync of the folder for all of them.
///
/// ```
/// add  add  add … the pages are on their way to disk meanwhile
///      │ every 16 files: fsync each, then rename each
/// commit: the rest the same, then fsync(folder)
/// ```
/// What has no name yet is abandoned when the group goes away.
package final class AtomicFileGroup {
  /// A file in an array; goes away with it, named or not.
  private final class Entry {
    let file: AtomicFile

    init(_ file: consuming AtomicFile) { self.file = file }
  }

  private var waiting: [Entry] = []
  /// A file that has its name, which is not durable yet.
  private var named: Entry?

  /// Open descriptors at most.
  private static let waitingMax = 16

  /// Nothing yet.
  package init() {}

  /// Takes a file whose bytes are written.
  /// - Throws: as `commit`.
  package func add(_ file: consuming AtomicFile) throws(FileError) {
    file.beginWriting()
    waiting.append(Entry(file))
    if waiting.count == Self.waitingMax { try giveNames() }
  }

  /// Makes all files durable under their names. On failure some have theirs, which are complete; of the others nothing
  /// is left when the group goes away.
  /// - Throws: `.io`, or `.cannotCreate` when a name cannot be given.
  package func commit() throws(FileError) {
    try giveNames()
    try named?.file.makeNameDurable()
    named = nil
  }

  private func giveNames() throws(FileError) {
    for entry in waiting { try entry.file.makeDurable() }
    for entry in waiting { try entry.file.giveName() }
    named = waiting.last ?? named
    waiting = []
  }
}
