internal import CCurl

/// One request after the other over one connection, of which one is on its way at a time.
final class PostRequest {
  /// What came of it.
  enum Outcome {
    /// The status, and the text behind it.
    case answered(Int, [UInt8])
    /// Why there is no answer.
    case failed(String)
  }

  let handle = curl_easy_init()
  /// What the answer is to; nil for a request that is not on its way.
  private(set) var number: Int?
  private let bytes = UnsafeMutablePointer<CChar>.allocate(capacity: byteCountMax)
  private let message = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
  private let reply = UnsafeMutablePointer<ccurl_reply>.allocate(capacity: 1)
  private var headers: UnsafeMutablePointer<curl_slist>?

  private static let byteCountMax = 64 << 10
  private static let timeout: Duration = .seconds(5)

  /// To be taken out of every multi handle before.
  deinit {
    curl_easy_cleanup(handle)
    curl_slist_free_all(headers)
    bytes.deallocate()
    message.deallocate()
    reply.deallocate()
  }

  /// Makes it ready to be sent.
  func prepare(_ body: [UInt8], to url: String, authorization: String?, authorities: String?, number: Int) {
    precondition(self.number == nil, "a request to \(url) is on its way")
    self.number = number
    reply.initialize(to: ccurl_reply(bytes: bytes, capacity: Self.byteCountMax, count: 0))
    headers = body.withUnsafeBytes { bytes in
      ccurl_prepare_post(
        handle, url, authorization, authorities, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count,
        Int(Self.timeout / .milliseconds(1)), reply, message)
    }
  }

  /// What came of it, once it is over.
  func finish(_ result: CURLcode) -> Outcome {
    defer {
      curl_slist_free_all(headers)
      (headers, number) = (nil, nil)
    }
    if result == CURLE_WRITE_ERROR { return .failed("it answers with more than \(Self.byteCountMax) B") }
    guard result == CURLE_OK else {
      let detail = String(cString: message)
      return .failed(plainText(detail.isEmpty ? String(cString: curl_easy_strerror(result)) : detail))
    }
    let text = UnsafeRawBufferPointer(start: bytes, count: reply.pointee.count)
    return .answered(ccurl_status(handle), Array(text))
  }
}
