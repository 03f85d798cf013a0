/// Files of one folder that appear under their names in the order in which they were begun, each complete or not at
/// all, with one sync of the folder for all of them.
///
/// ```
/// begin  begin  begin …          one thread
/// write, then makeDurable each   any threads
/// giveNames                      one thread: rename each, in groups of 16 (`whole`)
/// commit                         the rest the same, then fsync(folder)
/// ```
/// What has no name yet is abandoned when the group goes away.
package final class AtomicFileGroup {
  /// A file that goes away with its last user, named or not.
  package final class Member {
    private let file: AtomicFile

    fileprivate init(_ file: consuming AtomicFile) { self.file = file }

    /// The name that the file will have.
    package var path: String { file.path }
    /// Open for writing; stays this value's own.
    package var descriptor: Int32 { file.descriptor }

    /// Has the system begin to write what it holds of the file.
    package func beginWriting() { file.beginWriting() }

    /// Makes the bytes durable; once for each file.
    /// - Throws: `.full` or `.io`.
    package func makeDurable() throws(FileError) { try file.makeDurable() }

    fileprivate func giveName() throws(FileError) { try file.giveName() }
    fileprivate func makeNameDurable() throws(FileError) { try file.makeNameDurable() }
  }

  /// Files without a name, in their order.
  package private(set) var waiting: [Member] = []
  /// A file that has its name, which is not durable yet.
  private var named: Member?

  /// Files that get their names together. Up to twice as many are open.
  private static let size = 16

  /// Nothing yet.
  package init() {}

  /// Creates a file that is written afterwards.
  /// - Throws: as `AtomicFile.init`.
  package func begin(path: String) throws(FileError) -> Member {
    let member = Member(try AtomicFile(path: path))
    waiting.append(member)
    return member
  }

  /// The waiting files, as far as they make whole groups of 16.
  package var whole: [Member] { Array(waiting[..<(waiting.count / Self.size * Self.size)]) }

  /// Gives names to the first `count` of the waiting files, which were all made durable. The names are not durable yet.
  /// - Throws: `.cannotCreate`, or `.full`; files before the one that failed have their names.
  package func giveNames(_ count: Int) throws(FileError) {
    precondition(count <= waiting.count, "\(count) names for \(waiting.count) files")
    for member in waiting[..<count] { try member.giveName() }
    if count > 0 { named = waiting[count - 1] }
    waiting.removeFirst(count)
  }

  /// Makes all files durable under their names. On failure some have theirs, which are complete; of the others nothing
  /// is left when the group goes away.
  /// - Throws: `.io`, or `.cannotCreate` when a name cannot be given.
  package func commit() throws(FileError) {
    for member in waiting { try member.makeDurable() }
    try giveNames(waiting.count)
    try named?.makeNameDurable()
    named = nil
  }
}
