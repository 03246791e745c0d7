private import CSocket
import Foundation

/// Who is at the other end of a connection, as the kernel saw it when it was made.
public struct PeerCredentials: Sendable, Equatable {
  /// Process id.
  public let process: Int32
  /// User id.
  public let user: UInt32
}

/// One Unix stream socket; closed when the last reference goes.
///
/// Calls may come from several threads; what they do to each other is what the system calls do.
public final class UnixSocket: Sendable {
  /// The descriptor.
  public let descriptor: Int32

  /// Takes over a descriptor.
  public init(owning descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  /// Connects to the socket at `path`; its calls then return at once instead of waiting.
  ///
  /// - Throws: ``WireError/Code/unreachable`` when nobody answers there, or nobody takes the
  ///   connection in time.
  public static func connect(
    to path: String, timeout: Duration = .seconds(10)
  ) throws(WireError) -> UnixSocket {
    let deadline = ContinuousClock.now + timeout
    let socket = try create(path)
    try socket.setNonBlocking()
    while true {
      let result = try unsafe socket.withAddress(path) { address, length in
        // Safe: the address lives for the duration of the call.
        unsafe Foundation.connect(socket.descriptor, address, length)
      }
      if result == 0 { return socket }
      let number = errno
      // The daemon's list of waiting clients is full: it is busy, or stopped.
      if number == EAGAIN || number == EINTR, ContinuousClock.now < deadline {
        usleep(5000)
        continue
      }
      throw WireError(
        .unreachable,
        "no daemon on \(path): \(systemReason(number)); start one with 'groundwelld', "
          + "or name its socket with --socket or GROUNDWELL_SOCKET", systemError: number)
    }
  }

  /// Listens at `path`, which must not exist; the socket file gets mode 0600.
  ///
  /// - Throws: ``WireError/Code/system``.
  public static func listen(at path: String, backlog: Int32 = 128) throws(WireError) -> UnixSocket {
    let socket = try create(path)
    let mask = umask(0o177)
    let result = try unsafe socket.withAddress(path) { address, length in
      // Safe: the address lives for the duration of the call.
      unsafe bind(socket.descriptor, address, length)
    }
    let number = errno
    umask(mask)
    guard result == 0 else { throw WireError.system("bind", path, errno: number) }
    guard Foundation.listen(socket.descriptor, backlog) == 0 else {
      throw WireError.system("listen", path, errno: errno)
    }
    return socket
  }

  /// Makes two connected sockets, for tests.
  public static func pair() throws(WireError) -> (UnixSocket, UnixSocket) {
    var descriptors: [Int32] = [0, 0]
    // Safe: the array has room for the two descriptors that the call writes.
    let result = unsafe socketpair(
      AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &descriptors)
    guard result == 0 else { throw WireError.system("socketpair", "a new pair", errno: errno) }
    return (UnixSocket(owning: descriptors[0]), UnixSocket(owning: descriptors[1]))
  }

  /// The next waiting connection, or nil when none waits on a non-blocking socket.
  ///
  /// - Throws: ``WireError/Code/system``, also when descriptors have run out (`EMFILE`).
  public func accept() throws(WireError) -> UnixSocket? {
    let result = gw_accept(descriptor)
    if result >= 0 { return UnixSocket(owning: result) }
    switch -result {
    case EAGAIN, EINTR, ECONNABORTED: return nil
    case let number: throw WireError.system("accept", "the listening socket", errno: number)
    }
  }

  /// Makes reads and writes return at once instead of waiting.
  public func setNonBlocking() throws(WireError) {
    let flags = fcntl(descriptor, F_GETFL)
    guard flags >= 0, fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) == 0 else {
      throw WireError.system("fcntl", "a socket", errno: errno)
    }
  }

  /// Who is at the other end.
  public func peer() throws(WireError) -> PeerCredentials {
    var credentials = gw_peer_credentials()
    // Safe: the struct lives for the duration of the call.
    let result = unsafe gw_peer(descriptor, &credentials)
    guard result == 0 else { throw WireError.system("getsockopt", "a socket", errno: -result) }
    return PeerCredentials(process: credentials.process, user: credentials.user)
  }

  /// What one read gave.
  public enum Received: Sendable {
    /// Bytes, and the descriptors that came with them, which the caller now owns.
    case bytes([UInt8], descriptors: [Int32], lost: Bool)
    /// Nothing is there at the moment (non-blocking sockets).
    case nothing
    /// The other side will send no more.
    case end
  }

  /// Reads up to `maximumBytes`.
  ///
  /// - Throws: ``WireError/Code/system``, ``WireError/Code/closed``.
  public func receive(maximumBytes: Int) throws(WireError) -> Received {
    var descriptors = [Int32](repeating: -1, count: Int(GW_MAXIMUM_DESCRIPTORS))
    var descriptorCount: Int32 = 0
    var truncated: Int32 = 0
    var result = 0
    // Safe: see inside.
    let bytes = unsafe [UInt8](unsafeUninitializedCapacity: maximumBytes) { buffer, count in
      // Safe: the buffer has `maximumBytes` bytes and the call says how many it has written.
      result = unsafe gw_receive(
        descriptor, buffer.baseAddress, maximumBytes, &descriptors, &descriptorCount, &truncated)
      count = max(0, result)
    }
    switch result {
    case 0: return .end
    case 1...:
      return .bytes(
        bytes, descriptors: Array(descriptors.prefix(Int(descriptorCount))), lost: truncated != 0)
    case -Int(EAGAIN): return .nothing
    case -Int(ECONNRESET): throw WireError(.closed, "the other side closed the connection")
    default: throw WireError.system("recvmsg", "a connection", errno: Int32(-result))
    }
  }

  /// Sends bytes; returns how many were taken, 0 when a non-blocking socket takes none now.
  ///
  /// - Throws: ``WireError/Code/closed`` when the other side is gone, ``WireError/Code/system``.
  public func send(_ bytes: ArraySlice<UInt8>) throws(WireError) -> Int {
    // Safe: the buffer lives for the duration of the call.
    try unsafe bytes.withUnsafeBufferPointer { (buffer) throws(WireError) in
      try unsafe send(UnsafeRawBufferPointer(buffer), descriptors: [])
    }
  }

  /// The same for bytes that lie elsewhere, and for descriptors that ride on the first of them.
  ///
  /// - Throws: ``WireError/Code/closed`` when the other side is gone, ``WireError/Code/system``.
  /// - Precondition: at most ``Schema/Limits/maximumDescriptors`` descriptors, and a byte with them.
  @unsafe public func send(
    _ bytes: UnsafeRawBufferPointer, descriptors: [Int32]
  ) throws(WireError) -> Int {
    // Safe: the buffers live for the duration of the call.
    let result = unsafe descriptors.withUnsafeBufferPointer { list in
      unsafe gw_send(
        descriptor, bytes.baseAddress, bytes.count, list.baseAddress, Int32(list.count))
    }
    if result >= 0 { return result }
    switch Int32(-result) {
    case EAGAIN: return 0
    case EPIPE, ECONNRESET: throw WireError(.closed, "the other side closed the connection")
    case let number: throw WireError.system("sendmsg", "a connection", errno: number)
    }
  }

  /// Waits until the socket can be read, or written; false when the time is over.
  public func wait(forWriting: Bool = false, until deadline: ContinuousClock.Instant) -> Bool {
    while true {
      let left = ContinuousClock.now.duration(to: deadline)
      let milliseconds = max(
        0, left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000)
      var entry = pollfd(
        fd: descriptor, events: Int16(forWriting ? POLLOUT : POLLIN), revents: 0)
      // Safe: one entry is given and one announced.
      let count = unsafe poll(&entry, 1, Int32(clamping: milliseconds + 1))
      // A signal is no answer: a caller that read now would wait beyond its deadline.
      guard count < 0, errno == EINTR else { return count != 0 }
    }
  }

  /// Says that nothing more will be sent; the other side may still send.
  public func shutdownWriting() { _ = Foundation.shutdown(descriptor, Int32(SHUT_WR)) }

  /// Ends both directions; a reader on either side sees the end.
  public func shutdown() { _ = Foundation.shutdown(descriptor, Int32(SHUT_RDWR)) }

  private static func create(_ path: String) throws(WireError) -> UnixSocket {
    guard !path.isEmpty, path.utf8.count <= SocketPath.maximumBytes, !path.utf8.contains(0) else {
      throw WireError(
        .unreachable,
        "socket path of \(path.utf8.count) bytes; a Unix socket takes 1 to "
          + "\(SocketPath.maximumBytes): choose a shorter one: \(path.prefix(200))")
    }
    let descriptor = socket(
      AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw WireError.system("socket", path, errno: errno) }
    return UnixSocket(owning: descriptor)
  }

  private func withAddress(
    _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) throws(WireError) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    // Safe: the path was checked to leave room for the zero that ends it, and the pointer to the
    // address does not leave the closure.
    return unsafe withUnsafeMutablePointer(to: &address) { pointer in
      unsafe withUnsafeMutableBytes(of: &pointer.pointee.sun_path) { room in
        unsafe room.copyBytes(from: bytes)
      }
      return unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        unsafe body(generic, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }
}
