private import CSocket
import Foundation

/// Memory that two processes see at once: a sealed memfd, mapped whole.
///
/// Its size never changes, so no access can run off its end, whatever the other side does. Who
/// may write when is agreed over the socket: the daemon writes until it has answered, the client
/// has it until it says `batch.done`.
@safe public final class SharedMemory: @unchecked Sendable {
  // Nothing but the bytes changes after `init`.
  /// The memfd.
  public let descriptor: Int32
  /// Bytes of the memory.
  public let capacityBytes: Int
  private let base: UnsafeMutableRawPointer

  /// Makes new memory, every page of it there.
  ///
  /// - Throws: ``WireError/Code/system`` when the system has no memory or no descriptor left.
  public static func create(capacityBytes: Int) throws(WireError) -> SharedMemory {
    let descriptor = gw_shared_memory(capacityBytes)
    guard descriptor >= 0 else {
      throw WireError.system("memfd_create", "\(capacityBytes) bytes", errno: -descriptor)
    }
    return try SharedMemory(owning: descriptor, capacityBytes: capacityBytes)
  }

  /// Maps memory that came from another process, and owns its descriptor, also after a throw.
  ///
  /// - Throws: ``WireError/Code/badProtocol`` when it has another size or could lose it.
  public init(owning descriptor: Int32, capacityBytes: Int) throws(WireError) {
    self.descriptor = descriptor
    self.capacityBytes = capacityBytes
    let isSealed = gw_is_sealed(descriptor, capacityBytes)
    guard isSealed == 1, capacityBytes > 0 else {
      let found = Self.found(descriptor, isSealed, capacityBytes)
      close(descriptor)
      throw WireError(
        .badProtocol,
        "a descriptor of \(found); expected shared memory of \(capacityBytes) bytes, sealed "
          + "against shrinking and growing: the daemon is broken or not a daemon")
    }
    var error: Int32 = 0
    // Safe: a fresh mapping of sealed memory; `deinit` unmaps it.
    let address = unsafe gw_map(descriptor, capacityBytes, &error)
    guard let address = unsafe address else {
      close(descriptor)
      throw WireError.system("mmap", "\(capacityBytes) bytes", errno: error)
    }
    unsafe base = address
  }

  private static func found(
    _ descriptor: Int32, _ isSealed: Int32, _ capacityBytes: Int
  ) -> String {
    var status = stat()
    // Safe: the struct lives for the duration of the call.
    guard isSealed >= 0, unsafe fstat(descriptor, &status) == 0 else { return "no shared memory" }
    let isUnsealed = Int(status.st_size) == capacityBytes
    return "\(status.st_size) bytes\(isUnsealed ? " that is not sealed" : "")"
  }

  deinit {
    // Safe: nobody holds a pointer past the life of the memory.
    unsafe munmap(base, capacityBytes)
    close(descriptor)
  }

  /// All bytes; valid while this value lives.
  @unsafe public var bytes: UnsafeMutableRawBufferPointer {
    unsafe UnsafeMutableRawBufferPointer(start: base, count: capacityBytes)
  }
}

/// Has the process keep some of the memory that it frees: without that the C library gives large
/// arrays back to the system again and again, and each new one costs a fault and a cleared page
/// every 4 KiB.
public func keepFreedMemory() { gw_keep_memory() }

/// Gives what ``keepFreedMemory()`` has kept back to the system.
public func trimFreedMemory() { gw_trim_memory() }

/// Makes the calling thread nicer to others, so that they go first where cores are scarce.
///
/// - Parameter niceness: 0 to 19.
public func lowerThreadPriority(_ niceness: Int) { _ = gw_lower_priority(Int32(niceness)) }
