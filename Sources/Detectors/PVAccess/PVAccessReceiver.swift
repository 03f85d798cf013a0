internal import CPVAccess
import Host

/// What a process variable has next.
enum PVAccessStep {
  /// An image; its bytes are valid until the next step.
  case frame(FrameHeader, UnsafeRawBufferPointer)
  /// An update that is not taken, with what is to be said of it beyond the fault.
  case fault(MessageFault, String?)
  /// Updates of this sender will be taken from here on.
  case listening(to: String)
  /// The sender is gone; it is looked for.
  case disconnected
  /// Nothing that matters.
  case other
  /// Nothing yet.
  case nothing
  /// The sender ends the subscription.
  case end
}

/// Takes the updates of an NTNDArray from EPICS over pvAccess. It looks for the process variable, again and again where
/// nobody has it, as the variables `EPICS_PVA_…` of the environment say.
///
/// The first update after a connection is what the variable held before: an image of the past, which is not taken,
/// unless it follows one that was.
final class PVAccessReceiver {
  private let functions: slipring_pva_functions
  private let address: PVAccessAddress
  private let decoder: NDArrayDecoder
  private var channel: OpaquePointer?
  private var text = [CChar](repeating: 0, count: 256)
  /// The sender, until the first update of its connection.
  private var newPeer: String?
  /// An image that is the next step: the sender is named before it.
  private var pending: PVAccessStep?
  /// The highest number that was taken or missed; nil before the first image.
  private var last: UInt64?
  /// The number of the image that the variable held when it was found, which is of the past; nil where it held none.
  private(set) var held: UInt64?
  /// What the image of the last update looks like, and what that says of its scan.
  private(set) var (format, announcement) = (FrameFormat(rows: 1, columns: 1, pixel: .uint16), ScanAnnouncement())
  private var hasEnded = false

  /// Subscribes to images of `format`, and of any where it is nil. At most `queueLength` images wait here; beyond that
  /// the newest are lost.
  init(_ address: PVAccessAddress, library: PVAccessLibrary, format: FrameFormat?, queueLength: Int)
    throws(StreamError)
  {
    precondition(queueLength > 1, "a queue of \(queueLength)")
    (self.address, functions) = (address, library.functions.pointee)
    decoder = NDArrayDecoder(format: format)
    channel = functions.open(address.name, UInt32(clamping: queueLength), &text, UInt64(text.count))
    guard channel != nil else { throw .refused(address: address.description, reason: words) }
  }

  deinit { if let channel { functions.close(channel) } }

  /// Goes on behind a predecessor, which has taken or missed what has a number below `number`.
  func resume(after number: UInt64) { last = number > 0 ? number - 1 : nil }

  /// The next step, for which it waits up to `timeout`. Throws `.refused` where the sender refuses the subscription.
  func next(timeout: Duration) throws(StreamError) -> PVAccessStep {
    guard !hasEnded else {
      throw .refused(address: address.description, reason: "the sender ended the subscription before its first image")
    }
    if let pending {
      self.pending = nil
      return pending
    }
    var image = slipring_pva_image()
    switch functions.next(channel, UInt32(clamping: Int(timeout / .milliseconds(1))), &image, &text, UInt64(text.count))
    {
    case SLIPRING_PVA_NOTHING: return .nothing
    case SLIPRING_PVA_CONNECTED:
      newPeer = words
      return .other
    case SLIPRING_PVA_DISCONNECTED:
      newPeer = nil
      return .disconnected
    case SLIPRING_PVA_FINISHED:
      hasEnded = true
      return .end
    case SLIPRING_PVA_IMAGE: return take(NDArrayUpdate(image))
    case SLIPRING_PVA_OTHER: return welcome() ?? .fault(.messageType, "no NTNDArray")
    default: throw .refused(address: address.description, reason: words)
    }
  }

  private func take(_ update: NDArrayUpdate) -> PVAccessStep {
    let welcome = welcome()
    do throws(MessageFault) {
      guard let (header, image, format) = try decoder.decode(update) else { return welcome ?? .other }
      (self.format, announcement) = (format, ScanAnnouncement(update))
      // Behind a predecessor or a broken connection the first one was missed, if it is not one of old.
      if let welcome, header.number <= last ?? .max {
        if last == nil { held = header.number }
        return welcome
      }
      last = max(last ?? 0, header.number)
      guard let welcome else { return .frame(header, image) }
      pending = .frame(header, image)
      return welcome
    } catch {
      return welcome ?? .fault(error, decoder.words(for: error, update))
    }
  }

  /// What is to be said once of a connection; nil afterwards.
  private func welcome() -> PVAccessStep? {
    defer { newPeer = nil }
    return newPeer.map { .listening(to: $0) }
  }

  private var words: String {
    text.withUnsafeBytes { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }
}

extension NDArrayUpdate {
  fileprivate init(_ image: slipring_pva_image) {
    self.init()
    number = image.number
    (dimensionCount, dimensions) = (image.dimension_count, (image.dimensions.0, image.dimensions.1))
    element = Element(rawValue: Int(image.pixel.rawValue))
    bytes = UnsafeRawBufferPointer(start: image.bytes, count: Int(clamping: image.byte_count))
    codec = withUnsafeBytes(of: image.codec) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    (codecParameter, timestamp) = (Reading(image.codec_parameter), Reading(image.timestamp))
    (theta, imageKey) = (Reading(image.theta), Reading(image.image_key))
    (projections, flats, darks) = (Reading(image.projections), Reading(image.flats), Reading(image.darks))
    (energy, pixelSize) = (Reading(image.energy), Reading(image.pixel_size))
    sample = withUnsafeBytes(of: image.sample) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }
}

extension NDArrayUpdate.Reading {
  fileprivate init(_ number: slipring_pva_number) {
    self = number.state == 0 ? .none : number.state == 1 ? .number(number.value) : .other
  }
}
