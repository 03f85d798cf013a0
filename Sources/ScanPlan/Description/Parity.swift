import Host
import Journal

/// How sealed segments of journals are coded: into how many shards, and into which folders these go.
package struct Parity: Equatable, Sendable {
  /// Shards that hold the bytes: any so many give a segment back.
  package let data: Int
  /// Shards more: so many devices may be gone.
  package let parity: Int
  /// A folder for each shard, on a device of its own.
  package var folders: [String]

  /// What is wrong with it, to follow it in a sentence; nil where nothing is.
  var problem: String? {
    guard ErasureCode.isPossible(data: data, parity: parity) else {
      let most = ErasureCode.countMax
      return "has \(data) + \(parity) shards; at least 1 + 1 are needed, and \(most) is the most together"
    }
    guard folders.count == data + parity else {
      return "names \(counted(folders.count, "folder")) for \(data) + \(parity) shards; each shard needs one of its own"
    }
    guard !folders.contains("") else { return "names a folder without a name" }
    guard Set(folders.map(absolutePath)).count == folders.count else {
      return "names a folder twice; each shard needs one of its own"
    }
    return nil
  }
}

extension Parity: ScanValue {
  /// For people.
  package static var form: String { "DATA+PARITY@FOLDER,FOLDER,…, as 4+2@/a,/b,/c,/d,/e,/f" }
  /// Two numbers, and folders with commas between.
  package init?(scanText: String) {
    guard let at = scanText.firstIndex(of: "@") else { return nil }
    let numbers = scanText[..<at].split(separator: "+", omittingEmptySubsequences: false).map { Int(digits: $0) }
    guard numbers.count == 2, let data = numbers[0], let parity = numbers[1] else { return nil }
    let folders = scanText[scanText.index(after: at)...].split(separator: ",", omittingEmptySubsequences: false)
    self.init(data: data, parity: parity, folders: folders.map(String.init))
  }
  /// As it is written on the command line.
  package var scanText: String { "\(data)+\(parity)@\(folders.joined(separator: ","))" }
}

extension ScanLimit where Value == Parity {
  /// One that can be: as many folders as shards.
  static var coded: ScanLimit { ScanLimit(form: Parity.form) { $0.problem } }
}
