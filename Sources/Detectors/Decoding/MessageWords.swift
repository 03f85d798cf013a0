import Host

// What came and what was wanted, for people: made once for each fault, of a message that was refused for it. Nothing of
// it decides anything.

/// The words of a message's head that people need to see what is wrong with it, as they stand there.
struct MessageWords {
  private var fields: [String: String] = [:]
  private var (shape, isColumnsFirst) = ([Int](), false)

  /// Of a text nobody needs more than this.
  private static let lengthMax = 60
  private static let fieldsMax = 64
  private static let names: Set = [
    "htype", "shape", "type", "encoding", "frame", "series", "endianness", "endianess", "byteorder", "image_key",
    "theta",
  ]

  /// Reads what there is of the parts of a message.
  init(_ parts: UnsafeBufferPointer<UnsafeRawBufferPointer>) {
    guard let first = parts.first else { return }
    // What cannot be read is not there.
    if parts.count == 1, Stream2Message.isOne(first) {
      do throws(MessageFault) { try readStream2(first) } catch {}
      return
    }
    do throws(MessageFault) { try read(first) } catch {}
    guard parts.count > 1, self["htype"]?.contains("dimage-1.0") == true else { return }
    isColumnsFirst = true
    do throws(MessageFault) { try read(parts[1]) } catch {}
  }

  subscript(name: String) -> String? { fields[name] }

  private mutating func read(_ part: UnsafeRawBufferPointer) throws(MessageFault) {
    var object = try JSONObject(part)
    for _ in 0..<Self.fieldsMax {
      guard let (key, value) = try object.next() else { return }
      let name = String(decoding: key.bytes.prefix(Self.lengthMax), as: UTF8.self)
      guard Self.names.contains(name), fields[name] == nil else { continue }
      fields[name] = plainLine(value.bytes.prefix(Self.lengthMax))
      guard name == "shape", value.kind == .array else { continue }
      var elements = try value.elements()
      while let element = try elements.next(), shape.count < 8 {
        shape.append(Int(try element.count(limit: 1 << 30)))
      }
    }
  }

  private mutating func readStream2(_ part: UnsafeRawBufferPointer) throws(MessageFault) {
    let message = try Stream2Message(part)
    (fields["series"], fields["frame"]) = (message.series.map { "\($0)" }, message.image.map { "\($0)" })
    var (names, array): ([String], Stream2Array?) = ([], nil)
    try message.eachChannel { name, value in
      if names.count < 8 { names.append(plainLine(name.prefix(Self.lengthMax))) }
      var place = value
      guard array == nil else { return }
      do throws(MessageFault) { array = try Stream2Array(&place) } catch {}
    }
    fields["channels"] = names.joined(separator: ", ")
    guard let array else { return }
    shape = [Int(array.rows), Int(array.columns)]
    fields["type"] = array.element?.pixel.rawValue ?? "elements of tag \(array.elementTag)"
    fields["encoding"] = plainLine(array.algorithm.prefix(Self.lengthMax))
    fields["bytes"] = "\(array.bytes.count)"
  }

  /// What shape came.
  func shape(wanted format: FrameFormat) -> String? {
    let (rows, columns) = (format.rows, format.columns)
    guard shape.count == 2 else { return self["shape"].map { "\($0) came, \(rows) × \(columns) was wanted" } }
    let came = isColumnsFirst ? (shape[1], shape[0]) : (shape[0], shape[1])
    return shapeWords(came: came, wanted: format)
  }
}

/// What is to be said where an image has other rows and columns.
func shapeWords(came: (rows: Int, columns: Int), wanted format: FrameFormat) -> String {
  let isSwapped = came == (format.columns, format.rows)
  return "\(came.rows) × \(came.columns) came, \(format.rows) × \(format.columns) was wanted: "
    + (isSwapped ? "rows and columns swapped?" : "--shape says rows,columns")
}

extension StreamDecoder {
  /// What is to be said of a message that was refused for `fault`; nil where its name says all.
  func words(for fault: MessageFault, _ parts: UnsafeBufferPointer<UnsafeRawBufferPointer>) -> String? {
    let words = MessageWords(parts)
    switch fault {
    case .parts: return parts.isEmpty ? "more than \(Self.partsMax) parts came" : "\(Self.count(parts)) came"
    case .headerTooLong:
      return "a header of \(parts.first?.count ?? 0) B came, none has more than \(Self.headerByteCountMax) B"
    case .json, .cbor:
      let beginning = (parts.first ?? .init(start: nil, count: 0)).prefix(24)
      return "\(Self.count(parts)) came, of \(parts.map(\.count).max() ?? 0) B at most; the first begins with "
        + "\"\(plainLine(beginning))\""
    case .messageType: return words["htype"].map { "htype \($0) came" }
    case .field: return missing(words)
    case .shape: return words.shape(wanted: format)
    case .pixel:
      let came = [words["type"], words["endianness"] ?? words["endianess"] ?? words["byteorder"]].compactMap(\.self)
      return "\(came.joined(separator: ", ")) came, \(format.pixel.rawValue) was wanted: --pixel says which"
    case .encoding: return words["encoding"].map { "\($0) came" }
    case .size:
      let came = words["bytes"] ?? "\(parts.dropFirst().map(\.count).max() ?? 0)"
      return "\(came) B of pixels came, \(format.byteCount) B were wanted"
    case .series:
      let came = "series \(words["series"] ?? "?") came"
      return series.map { "\(came), series \($0) was wanted" }
        ?? "\(came) from its image \(words["frame"] ?? "?") on, its header or image \(firstImage) was wanted first"
    case .channel:
      return "\(words["channels"] ?? "?") came, " + (channel.map { "\($0) was wanted" } ?? "--channel says which one")
    case .number, .compression, .surplus: return nil
    }
  }

  private static func count(_ parts: UnsafeBufferPointer<UnsafeRawBufferPointer>) -> String {
    parts.count == 1 ? "1 part" : "\(parts.count) parts"
  }

  private func missing(_ words: MessageWords) -> String? {
    let isImage = words["htype"]?.contains("array-1.0") == true || words["htype"]?.contains("dimage") == true
    let lacking = ["shape", "type", "frame"].filter { words[$0] == nil }
    guard isImage, !lacking.isEmpty else { return "a value is none that its field can have" }
    return "\(lacking.joined(separator: " and ")) missing"
  }
}
