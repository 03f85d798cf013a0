internal import CPVAccess
internal import Glibc
internal import Host

/// What takes images from EPICS: a library of its own, because pvxs, which it needs, is not everywhere.
/// `Tools/pvaccess` makes it; it is looked for and loaded when a source asks for it, and stays loaded.
package struct PVAccessLibrary {
  /// The name and version of what is behind it.
  package let version: String
  let functions: UnsafePointer<slipring_pva_functions>

  /// The variable that names the library's file; without it, it is looked for beside the program.
  package static let variable = "SLIPRING_PVACCESS"
  static let fileName = "pvaccess/libslipring-pva.so"
  /// How to get it.
  package static let remedy = "run Tools/pvaccess, which gets pvxs from PyPI"

  /// Loads the library from where it is expected. Throws `.withoutPVAccess` where it is not, or is of no use.
  package static func load() throws(StreamError) -> PVAccessLibrary {
    if let path = getenv(variable) { return try PVAccessLibrary(path: String(cString: path)) }
    guard let path = candidates().first(where: { access($0, R_OK) == 0 }) else {
      throw .withoutPVAccess(reason: "\(fileName) is not there")
    }
    return try PVAccessLibrary(path: path)
  }

  /// Loads the library in `path`.
  init(path: String) throws(StreamError) {
    guard let library = dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
      throw .withoutPVAccess(reason: Self.loaderReason(path))
    }
    guard let symbol = dlsym(library, SLIPRING_PVA_SYMBOL) else {
      throw .withoutPVAccess(reason: "\(path) is another library")
    }
    let entry = unsafeBitCast(symbol, to: (@convention(c) () -> UnsafePointer<slipring_pva_functions>?).self)
    try self.init(entry(), of: path)
  }

  /// What `functions` are, which the library in `path` has.
  init(_ functions: UnsafePointer<slipring_pva_functions>?, of path: String) throws(StreamError) {
    guard let functions, functions.pointee.version == UInt32(SLIPRING_PVA_VERSION) else {
      throw .withoutPVAccess(reason: "\(path) was made for another version of Slipring")
    }
    guard let version = functions.pointee.library() else {
      throw .withoutPVAccess(reason: "\(path) was compiled for another pvxs")
    }
    (self.version, self.functions) = (String(cString: version), functions)
  }

  /// Sets a variable to a number, of an enumeration to the choice of that number, and waits up to `timeout` until that
  /// is done; without a number, until the variable was found. Throws `.refused` where that does not happen.
  func put(_ number: String?, into address: PVAccessAddress, timeout: Duration) throws(StreamError) {
    var text = [CChar](repeating: 0, count: 256)
    let milliseconds = UInt32(clamping: Int(timeout / .milliseconds(1)))
    guard functions.pointee.put(address.name, number, milliseconds, &text, UInt64(text.count)) == 0 else {
      throw .refused(address: "\(address)", reason: plainLine(text))
    }
  }

  private static func loaderReason(_ path: String) -> String {
    dlerror().map { String(cString: $0) } ?? "\(path) does not load"
  }

  /// Beside the program, or beside the folders of its builds.
  private static func candidates() -> [String] {
    var folders = OwnProgram.file.split(separator: "/").dropLast()
    return (0..<3).map { _ in
      defer { folders = folders.dropLast() }
      return folders.map { "/\($0)" }.joined() + "/" + fileName
    }
  }
}
