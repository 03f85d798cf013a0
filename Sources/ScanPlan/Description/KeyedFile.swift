import Host
package import Yams

/// A YAML file of keys whose values each have a form of their own, as `serve.yaml` and a rehearsal's plan are.
package struct KeyedFile: Sendable {
  /// As it was named.
  private let path: String

  package static let wordsMax = 32

  /// The file at `path`.
  package init(path: String) { self.path = path }

  /// The keys of its content and what is written behind them, in their order; `needs` says what one without keys is to
  /// have.
  /// - Throws: `.configuration`, with the line where there is one.
  package func entries(_ bytes: [UInt8], needs: String) throws(ScanFailure) -> Node.Mapping {
    let root: Node?
    do throws(ScanFile.Problem) { root = try ScanYAML.root(bytes) } catch {
      throw ScanFailure(.configuration, ScanFile.located(error, in: path))
    }
    guard case .mapping(let mapping)? = root, !mapping.isEmpty else {
      throw ScanFailure(.configuration, "\(path) has no keys; it needs \(needs)")
    }
    return mapping
  }

  /// The one word behind a key.
  package func word(_ key: Node, _ value: Node) throws(ScanFailure) -> String {
    guard case .scalar(let scalar) = value, !scalar.string.isEmpty else {
      throw mistake(key, "\(key.string ?? "?") has no value, or several")
    }
    return scalar.string
  }

  /// A list of words behind a key, or one.
  package func words(_ key: Node, _ value: Node) throws(ScanFailure) -> [String] {
    guard case .sequence(let sequence) = value else { return [try word(key, value)] }
    guard (1...Self.wordsMax).contains(sequence.count) else {
      throw mistake(key, "\(key.string ?? "?") has one to \(Self.wordsMax) words")
    }
    var words: [String] = []
    for value in sequence { words.append(try word(key, value)) }
    return words
  }

  /// What is wrong, with the line where it stands.
  package func mistake(_ node: Node, _ text: String) -> ScanFailure {
    ScanFailure(.configuration, "\(path):\(node.mark?.line ?? 1): \(text)")
  }
}
