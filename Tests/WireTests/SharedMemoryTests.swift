import Foundation
import Testing
import Wire

/// Memory that came from the other side: what it must be before it is mapped.
@Suite struct SharedMemoryTests {
  private let expected =
    "; expected shared memory of 8192 bytes, sealed against shrinking and growing: the daemon is "
    + "broken or not a daemon"

  /// Maps a descriptor as a client does; answers the error, and whether the descriptor was closed.
  private func refusal(_ descriptor: Int32) -> (message: String?, isClosed: Bool) {
    let before = file(descriptor)
    var found: WireError?
    do throws(WireError) {
      _ = try SharedMemory(owning: descriptor, capacityBytes: 8192)
    } catch {
      found = error
    }
    #expect(found == nil || found?.code == .badProtocol)
    // Tests beside this one may have been given the number by now.
    return (found?.message, file(descriptor) != before)
  }

  /// What a descriptor refers to; nil when it is not open.
  private func file(_ descriptor: Int32) -> [UInt64]? {
    var facts = stat()
    // Safe: the struct lives for the duration of the call.
    guard unsafe fstat(descriptor, &facts) == 0 else { return nil }
    return [UInt64(facts.st_dev), UInt64(facts.st_ino)]
  }

  @Test("sealed memory of the announced size is mapped and seen by both sides")
  func maps() throws {
    let made = try SharedMemory.create(capacityBytes: 8192)
    let received = try SharedMemory(owning: dup(made.descriptor), capacityBytes: 8192)
    // Safe: both mappings live to the end of the test.
    unsafe made.bytes[8191] = 7
    #expect(unsafe received.bytes[8191] == 7)
  }

  @Test("memory that is shorter than announced is refused, and longer as well")
  func refusesOtherSizes() throws {
    for size in [4096, 12_288] {
      let made = try SharedMemory.create(capacityBytes: size)
      let (message, isClosed) = refusal(dup(made.descriptor))
      #expect(message == "a descriptor of \(size) bytes" + expected)
      #expect(isClosed)
    }
  }

  @Test("memory that could still shrink is refused")
  func refusesUnsealed() throws {
    let path = "/dev/shm/gw-test-\(UUID().uuidString)"
    // Safe: the paths are passed for the duration of the calls.
    let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    try #require(descriptor >= 0)
    unsafe unlink(path)
    #expect(ftruncate(descriptor, 8192) == 0)
    let (message, isClosed) = refusal(descriptor)
    #expect(message == "a descriptor of 8192 bytes that is not sealed" + expected)
    #expect(isClosed)
  }

  @Test("a pipe, a file and a descriptor that is not open are no shared memory")
  func refusesOthers() throws {
    var ends: [Int32] = [0, 0]
    // Safe: the array has room for the two descriptors that the call writes.
    #expect(unsafe pipe(&ends) == 0)
    #expect(refusal(ends[0]).message == "a descriptor of no shared memory" + expected)
    close(ends[1])
    // Safe: the path is passed for the duration of the call.
    let file = unsafe open("/proc/self/exe", O_RDONLY | O_CLOEXEC)
    #expect(refusal(file).message == "a descriptor of no shared memory" + expected)
    #expect(refusal(-1).message == "a descriptor of no shared memory" + expected)
  }
}
