internal import Host
package import Rings

/// A file in a journal's folder that keeps the journal from being read: a segment under another segment's name, another
/// journal's, a record of a loss that is damaged, or no file of a journal at all.
package struct MisplacedFile: Equatable, Sendable {
  /// Its name.
  package let name: String
  /// The name that its first page says it had; nil where it is to be done without.
  package let place: String?

  /// A file as given.
  package init(name: String, place: String?) { (self.name, self.place) = (name, place) }
}

/// Looks for files that keep the journal from being read, changing nothing. A segment whose first page is damaged is
/// none: its name is all that is known of it, and recovery deals with it.
///
/// Nobody may be writing. Throws `.refused` for another version's file, `.host` where the device fails.
package func misplacedFiles(
  device: any JournalDevice, identity: RingIdentity, stride: Int
) throws(JournalError) -> [MisplacedFile] {
  let source = RecordSource(device: device, identity: identity, stride: stride, rules: JournalRules())
  var inPlace: [ControlPage] = []
  var misplaced: [(name: String, page: ControlPage?)] = []
  for name in try hosted({ () throws(HostError) in try device.names() }) {
    switch FileName(name) {
    case .segment(let first, _):
      guard let page = try source.controlPage(name) else { continue }
      let isOwn = Segment.isPossible(page, identity: identity, stride: stride, first: page.first)
      if isOwn, page.first == first { inPlace.append(page) } else { misplaced.append((name, isOwn ? page : nil)) }
    case .loss(let first, let end):
      let page = try source.controlPage(name)
      guard let page, page.kind == .loss, page.identity == identity, page.first == first, page.end == end else {
        misplaced.append((name, nil))
        continue
      }
    case .retired, .alone, .through, .mending, .unfinished: continue
    case .foreign: misplaced.append((name, nil))
    }
  }
  return places(of: misplaced, beside: inPlace)
}

/// Gives each segment the first name of its own that is free; a copy of one that is there gets none.
private func places(of misplaced: [(name: String, page: ControlPage?)], beside inPlace: [ControlPage])
  -> [MisplacedFile]
{
  var taken = inPlace
  return misplaced.map { name, page in
    guard let page, !taken.contains(where: { $0.number == page.number }) else {
      return MisplacedFile(name: name, place: nil)
    }
    let copy = taken.count { $0.first == page.first }
    taken.append(page)
    return MisplacedFile(name: name, place: FileName.segmentName(first: page.first, copy: copy))
  }
}
