import Foundation
import Schema
import Wire

/// Sends bytes with descriptors, more than `UnixSocket` itself would.
///
/// The control message is laid out by hand as `cmsg(3)` describes it for 64-bit Linux: length (8
/// bytes), level, type (4 each), then the descriptors.
func send(_ bytes: [UInt8], descriptors: [Int32], over socket: UnixSocket) -> Int {
  let headerBytes = 16
  let length = headerBytes + descriptors.count * 4
  var control = [UInt8](repeating: 0, count: (length + 7) / 8 * 8)
  for (offset, value) in [(0, Int32(length)), (8, SOL_SOCKET), (12, 1)]
    + descriptors.enumerated()
    .map({ (headerBytes + $0.offset * 4, $0.element) })
  {
    control.replaceSubrange(offset..<(offset + 4), with: value.littleEndianBytes)
  }
  var bytes = bytes
  let controlBytes = control.count
  // Safe: every pointer is used by the one call inside the closures that lend it.
  return unsafe bytes.withUnsafeMutableBytes { payload in
    unsafe control.withUnsafeMutableBytes { control in
      var vector = unsafe iovec(iov_base: payload.baseAddress, iov_len: payload.count)
      return unsafe withUnsafeMutablePointer(to: &vector) { vector in
        var message = unsafe msghdr()
        unsafe message.msg_iov = vector
        unsafe message.msg_iovlen = 1
        unsafe message.msg_control = control.baseAddress
        unsafe message.msg_controllen = controlBytes
        return unsafe sendmsg(socket.descriptor, &message, 0)
      }
    }
  }
}

/// A pipe whose reading end tells when the last writing end is closed.
struct ClosingPipe {
  let reading: Int32
  let writing: Int32

  init() throws {
    var ends: [Int32] = [0, 0]
    // Safe: the array has room for the two descriptors that the call writes.
    guard unsafe pipe(&ends) == 0 else { throw POSIXError(.EMFILE) }
    (reading, writing) = (ends[0], ends[1])
  }

  /// Whether no writing end is open any more, here or anywhere; closes the reading end.
  func isFinished() -> Bool {
    var entry = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
    // Safe: one entry is given and one announced.
    let count = unsafe poll(&entry, 1, 0)
    close(reading)
    return count == 1 && entry.revents & Int16(POLLHUP) != 0
  }
}
