import CSocket
import Foundation
import Synchronization
import Wire

/// One thread that waits for sockets and runs the actors that serve them.
///
/// A request goes from its bytes to its answer on this thread, and what another thread hands over
/// at the same time (the answers to all that one commit has made durable) costs one wake-up. So
/// nothing may run here that takes long: pixels belong on ``WorkPool``, files to the store.
final class EventLoop: SerialExecutor {
  /// What a socket is ready for, or is to be waited for.
  struct Readiness: OptionSet, Sendable {
    let rawValue: UInt8
    static let read = Readiness(rawValue: 1)
    static let write = Readiness(rawValue: 2)
  }

  private struct Watch {
    var interest: Readiness
    let handler: @Sendable (Readiness) -> Void
  }

  private struct State {
    var jobs: [UnownedJob] = []
    /// Whether the thread looks at ``jobs`` before it next waits.
    var isAwake = true
  }

  private static let shared: [EventLoop] = (0..<count).map { EventLoop(name: "loop-\($0)") }
  private static let turn = Atomic(0)
  /// Half of the cores, since the store and the work pool want some as well.
  private static let count = min(max(1, ProcessInfo.processInfo.activeProcessorCount / 2), 8)

  private let state = Mutex(State())
  private let watches = Mutex<[Int32: Watch]>([:])
  private let thread = Atomic<UInt>(0)
  private let poll: Int32
  private let alarm: Int32

  /// The loop for the next connection; those of a process take turns.
  static func next() -> EventLoop {
    let turn = Self.turn.wrappingAdd(1, ordering: .relaxed).oldValue
    return shared[Int(UInt(bitPattern: turn) % UInt(count))]
  }

  /// A loop that runs until the process ends.
  private init(name: String) {
    poll = Self.checked(gw_poll_create())
    alarm = Self.checked(gw_poll_alarm(poll))
    Thread.detachNewThread { [self] in
      // Safe: the name is copied.
      unsafe gw_name_thread(name)
      run()
    }
  }

  /// A process that cannot wait for its sockets is of no use; this happens once, at its start.
  private static func checked(_ result: Int32) -> Int32 {
    guard result >= 0 else { fatalError("no event loop: \(systemReason(-result))") }
    return result
  }

  // MARK: Executor

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let mustWake = state.withLock { state in
      state.jobs.append(job)
      defer { state.isAwake = true }
      return !state.isAwake
    }
    if mustWake { _ = gw_poll_wake(alarm) }
  }

  func checkIsolated() { precondition(isCurrent, "not on the event loop") }

  private var isCurrent: Bool { thread.load(ordering: .relaxed) == UInt(pthread_self()) }

  // MARK: Sockets

  /// Calls `handler` on this loop whenever the socket is ready in one of the ways of `interest`.
  ///
  /// - Precondition: on this loop; the descriptor stays open until ``ignore(_:)``.
  func watch(
    _ descriptor: Int32, for interest: Readiness, _ handler: @escaping @Sendable (Readiness) -> Void
  ) throws(WireError) {
    precondition(isCurrent, "not on the event loop")
    let known = watches.withLock { watches in
      defer { watches[descriptor] = Watch(interest: interest, handler: handler) }
      return watches[descriptor]?.interest ?? []
    }
    try change(descriptor, from: known, to: interest)
  }

  /// Waits for the socket in other ways, or in none.
  func wait(for interest: Readiness, of descriptor: Int32) throws(WireError) {
    precondition(isCurrent, "not on the event loop")
    let known = watches.withLock { watches in
      defer { watches[descriptor]?.interest = interest }
      return watches[descriptor]?.interest
    }
    if let known { try change(descriptor, from: known, to: interest) }
  }

  /// Waits for the socket no longer; it may be closed.
  func ignore(_ descriptor: Int32) {
    precondition(isCurrent, "not on the event loop")
    let known = watches.withLock { $0.removeValue(forKey: descriptor)?.interest } ?? []
    if !known.isEmpty { _ = gw_poll_watch(poll, descriptor, 1, 0, 0) }
  }

  private func change(
    _ descriptor: Int32, from known: Readiness, to interest: Readiness
  ) throws(WireError) {
    guard known != interest else { return }
    let result = gw_poll_watch(
      poll, descriptor, known.isEmpty ? 0 : 1, interest.contains(.read) ? 1 : 0,
      interest.contains(.write) ? 1 : 0)
    guard result == 0 else {
      throw WireError(
        .system, "a socket cannot be waited for: \(systemReason(-result))", systemError: -result)
    }
  }

  // MARK: The thread

  private func run() {
    thread.store(UInt(pthread_self()), ordering: .relaxed)
    var ready = [gw_ready](repeating: gw_ready(), count: 64)
    while true {
      let jobs = state.withLock { state in
        defer { state.jobs = [] }
        return state.jobs
      }
      // Safe: each job is taken once, and the loop lives as long as the process.
      for job in jobs { unsafe job.runSynchronously(on: asUnownedSerialExecutor()) }
      let mayRest = state.withLock { state in
        state.isAwake = !state.jobs.isEmpty
        return !state.isAwake
      }
      // Safe: the array has room for as many as are asked for.
      let count = unsafe gw_poll_wait(poll, alarm, &ready, Int32(ready.count), mayRest ? -1 : 0)
      state.withLock { $0.isAwake = true }
      guard count >= 0 else { fatalError("epoll_wait: \(systemReason(-count))") }
      for event in ready.prefix(Int(count)) {
        var readiness: Readiness = event.is_readable != 0 ? .read : []
        if event.is_writable != 0 { readiness.insert(.write) }
        // Gone, if what was served before it has closed it.
        let watch = watches.withLock { $0[event.descriptor] }
        if let watch { watch.handler(readiness.intersection(watch.interest)) }
      }
    }
  }
}
