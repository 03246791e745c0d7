/// Turns the bytes of a stream, in whatever pieces they come, into frames.
///
/// A decoder that has thrown must not be used again: where the next frame starts is unknown.
public struct FrameDecoder: Sendable {
  /// Room that is kept between two frames.
  private static let keptBytes = 1 << 20

  private let maximumBodyBytes: Int
  private let limits: Limits
  private var buffer: [UInt8] = []
  private var consumed = 0
  private var header: FrameHeader?

  /// A decoder that refuses a longer body than `maximumBodyBytes`.
  public init(maximumBodyBytes: Int, limits: Limits = .standard) {
    self.maximumBodyBytes = maximumBodyBytes
    self.limits = limits
  }

  /// A decoder of what a daemon answers, which may be longer than what it takes.
  public static func forAnswers(_ limits: Limits = .standard) -> FrameDecoder {
    var limits = limits
    limits.maximumJsonBytes = limits.maximumAnswerJsonBytes
    return FrameDecoder(maximumBodyBytes: limits.maximumBatchBytes, limits: limits)
  }

  /// Whether bytes of an unfinished frame are held.
  public var isMidFrame: Bool { header != nil || consumed < buffer.count }

  /// How many more bytes complete the frame at hand; a reader may fetch that many at once.
  public var missingBytes: Int {
    let held = buffer.count - consumed
    guard let header else { return max(0, WireFrame.headerBytes - held) }
    return max(0, header.jsonBytes + header.bodyBytes - held)
  }

  /// Adds bytes as they came from the stream.
  public mutating func append(_ bytes: some Sequence<UInt8>) {
    discardConsumed()
    buffer.append(contentsOf: bytes)
  }

  /// The next complete frame, or nil when more bytes are needed.
  ///
  /// - Throws: ``SchemaError/Code/badFrame``.
  public mutating func next() throws(SchemaError) -> WireFrame? {
    if header == nil {
      guard buffer.count - consumed >= WireFrame.headerBytes else { return nil }
      header = try FrameHeader(
        buffer[consumed..<(consumed + WireFrame.headerBytes)],
        maximumBodyBytes: maximumBodyBytes, limits: limits)
      consumed += WireFrame.headerBytes
    }
    guard let header, buffer.count - consumed >= header.jsonBytes + header.bodyBytes else {
      return nil
    }
    let jsonEnd = consumed + header.jsonBytes
    let bodyEnd = jsonEnd + header.bodyBytes
    let frame = WireFrame(
      json: Array(buffer[consumed..<jsonEnd]), body: Array(buffer[jsonEnd..<bodyEnd]),
      descriptorCount: header.descriptorCount)
    consumed = bodyEnd
    self.header = nil
    discardConsumed()
    return frame
  }

  private mutating func discardConsumed() {
    if consumed == buffer.count, buffer.capacity > Self.keptBytes {
      // An idle connection must not hold the room of its largest frame.
      buffer = []
      consumed = 0
    } else if consumed > 0, consumed == buffer.count || consumed > 1 << 16 {
      buffer.removeFirst(consumed)
      consumed = 0
    }
  }
}
