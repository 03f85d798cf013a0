import ArgumentParser
import Host

extension WrittenNumber {
  /// Reads an option's value. Throws what it should be.
  fileprivate static func read(_ text: String) throws -> Self {
    guard let value = Self(written: text) else { throw ValidationError("it is \(writtenForm)") }
    return value
  }
}

// The library's own options of these types take what Swift's initialisers take, as 0x1p3 and inf. These are preferred,
// as they are for fewer types.
extension Option where Value: WrittenNumber {
  init(
    wrappedValue: Value, name: NameSpecification = .long, parsing: SingleValueParsingStrategy = .next,
    help: ArgumentHelp? = nil
  ) {
    // Of what is transformed the library does not name the default.
    var help = help ?? ""
    help.abstract += " (default: \(wrappedValue))"
    self.init(wrappedValue: wrappedValue, name: name, parsing: parsing, help: help, transform: { try Value.read($0) })
  }

  init(name: NameSpecification = .long, parsing: SingleValueParsingStrategy = .next, help: ArgumentHelp? = nil) {
    self.init(name: name, parsing: parsing, help: help, transform: { try Value.read($0) })
  }
}

extension Option {
  init<Number: WrittenNumber>(
    name: NameSpecification = .long, parsing: SingleValueParsingStrategy = .next, help: ArgumentHelp? = nil
  ) where Value == Number? {
    self.init(name: name, parsing: parsing, help: help, transform: { try Number.read($0) })
  }
}
