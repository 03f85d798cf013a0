internal import CKafka
internal import Glibc

/// librdkafka, which is looked for when a run sends events to Kafka, and stays loaded.
package struct KafkaLibrary: @unchecked Sendable {
  // Sound: the table is filled before anybody has it and never changed; the functions are for any thread.
  let functions: ckafka_library
  /// As it says itself.
  package let version: String

  /// The variable that names the library's file; without it, the system's loader looks for it.
  static let variable = "SLIPRING_LIBRDKAFKA"
  /// How to get it.
  package static let remedy = "install it: apt-get install librdkafka1"
  private static let name = "librdkafka.so.1"

  /// Loads the library. Throws `.withoutKafka` where there is none, or it is too old.
  package static func load() throws(EventsError) -> KafkaLibrary {
    try KafkaLibrary(path: getenv(variable).map { String(cString: $0) } ?? name)
  }

  /// Loads the library in `path`.
  init(path: String) throws(EventsError) {
    guard let library = dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
      throw .withoutKafka(reason: dlerror().map { plainText(String(cString: $0)) } ?? "\(path) does not load")
    }
    var functions = ckafka_library()
    if let missing = ckafka_fill(library, &functions) {
      throw .withoutKafka(reason: "\(path) has no \(String(cString: missing)), and 1.5 or newer is needed")
    }
    self.functions = functions
    version = Self.text(functions.version_str())
  }

  /// Throws where the library refuses one of the settings, in its own words.
  func check(_ settings: EventSettings) throws(EventsError) {
    let configuration = try configuration(settings, own: [])
    functions.conf_destroy(configuration)
  }

  /// A configuration with the settings of a person, and Slipring's own over them. To be given to `make`, or destroyed.
  func configuration(_ settings: EventSettings, own: [(String, String)]) throws(EventsError) -> OpaquePointer {
    guard let configuration = functions.conf_new() else { preconditionFailure("librdkafka has no memory") }
    // It would write to standard error.
    functions.conf_set_log_cb(configuration, nil)
    var text = [CChar](repeating: 0, count: 512)
    for setting in settings.kafka {
      let result = functions.conf_set(configuration, setting.key, setting.value, &text, text.count)
      guard result == RD_KAFKA_CONF_OK else {
        functions.conf_destroy(configuration)
        let words = settings.withoutSecrets(Self.string(text))
        throw .setting(path: settings.path, line: setting.line, reason: "librdkafka refuses it: \(words)")
      }
    }
    for (key, value) in own {
      let result = functions.conf_set(configuration, key, value, &text, text.count)
      precondition(result == RD_KAFKA_CONF_OK, "librdkafka does not know \(key): \(Self.string(text))")
    }
    return configuration
  }

  /// A producer or consumer, which takes the configuration over.
  func make(
    _ type: rd_kafka_type_t, _ configuration: OpaquePointer, settings: EventSettings, sink: EventAddress
  ) throws(EventsError) -> OpaquePointer {
    var text = [CChar](repeating: 0, count: 512)
    guard let handle = functions.new(type, configuration, &text, text.count) else {
      functions.conf_destroy(configuration)
      throw .refused(sink: "\(sink)", reason: settings.withoutSecrets(Self.string(text)))
    }
    return handle
  }

  /// The words of an error code.
  func words(_ error: rd_kafka_resp_err_t) -> String { Self.text(functions.err2str(error)) }

  /// What the library says, which it keeps.
  static func text(_ words: UnsafePointer<CChar>?) -> String { words.map { String(cString: $0) } ?? "" }

  private static func string(_ text: [CChar]) -> String {
    String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
