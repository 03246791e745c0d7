import Schema
import Wire

/// A frame on its way out, with what does not fit an array: a body in memory of its own, and
/// descriptors.
struct OutgoingFrame: Sendable {
  /// The JSON, and a body unless ``memory`` has it.
  let frame: WireFrame
  /// The body, or nothing.
  let memory: PlainMemory?
  /// Memory whose descriptors ride on the frame.
  let shared: [SharedMemory]

  /// A frame that is bytes only.
  init(_ frame: WireFrame) {
    self.init(json: frame.json, body: frame.body)
  }

  /// A frame whose body lies elsewhere, or whose batch lies in shared memory.
  init(
    json: [UInt8], body: [UInt8] = [], memory: PlainMemory? = nil, shared: [SharedMemory] = []
  ) {
    frame = WireFrame(json: json, body: body, descriptorCount: shared.count)
    self.memory = memory
    self.shared = shared
  }

  /// Whether it has a body, or says where one lies.
  var hasBody: Bool { !frame.body.isEmpty || memory != nil }

  /// The frame as it goes out.
  var pieces: [OutgoingBytes] {
    let header = FrameHeader(
      jsonBytes: frame.json.count, bodyBytes: memory?.count ?? frame.body.count,
      descriptorCount: shared.count)
    var pieces = [OutgoingBytes(header.bytes + frame.json, shared: shared)]
    if let memory { pieces.append(OutgoingBytes(memory)) }
    if !frame.body.isEmpty { pieces.append(OutgoingBytes(frame.body)) }
    return pieces
  }
}

/// Bytes that wait to be sent, and how many of them are.
struct OutgoingBytes {
  private enum Source {
    case array([UInt8])
    case memory(PlainMemory)
  }

  private let source: Source
  private var sent = 0
  /// Memory whose descriptors ride on the first byte.
  private var shared: [SharedMemory]

  /// Bytes of an array.
  init(_ bytes: [UInt8], shared: [SharedMemory] = []) {
    source = .array(bytes)
    self.shared = shared
  }

  /// Bytes that lie elsewhere.
  init(_ memory: PlainMemory) {
    source = .memory(memory)
    shared = []
  }

  /// Bytes that are left.
  var count: Int {
    switch source {
    case .array(let bytes): bytes.count - sent
    case .memory(let memory): memory.count - sent
    }
  }

  /// Sends as many as the socket takes; answers how many.
  func send(over socket: UnixSocket) throws(WireError) -> Int {
    let descriptors = shared.map(\.descriptor)
    switch source {
    case .array(let bytes):
      // Safe: the pointer stays within the closure, and the descriptors live as long as `shared`.
      return try unsafe bytes.withUnsafeBufferPointer { (buffer) throws(WireError) in
        try unsafe socket.send(
          UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: buffer[sent...])),
          descriptors: descriptors)
      }
    case .memory(let memory):
      // Safe: the memory lives as long as this value.
      return try unsafe socket.send(
        UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(memory.bytes)[sent...]),
        descriptors: descriptors)
    }
  }

  /// Notes that so many bytes, and the descriptors with them, were taken.
  mutating func drop(_ count: Int) {
    sent += count
    shared = []
  }
}
