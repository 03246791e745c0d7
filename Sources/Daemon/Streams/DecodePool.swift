import Dispatch
import Foundation
import Schema
import Store
import Synchronization
import Wire

/// Writes the items of batches on all cores, on threads that give way to a trainer's.
///
/// Batches are served in the order in which they come; the threads share the items of one.
final class DecodePool: Sendable {
  /// How nice the threads are: they take what is free, and a share of what is not.
  private static let niceness = 5
  private static let stackBytes = 1 << 20
  private static let maximumGrain = 16

  /// The items of one batch.
  private final class Job: Sendable {
    let count: Int
    /// Items that a thread takes at a time: small enough to end together with the others.
    let grain: Int
    let write: @Sendable (Int, ItemTools) throws(StoreError) -> Void
    let finish: @Sendable (Outcome) -> Void
    let next = Atomic<Int>(0)
    let doneCount = Atomic<Int>(0)
    let diskNanoseconds = Atomic<Int>(0)
    let keptCount = Atomic<Int>(0)
    let failure = Mutex<(index: Int, error: StoreError)?>(nil)

    init(
      _ count: Int, _ grain: Int,
      _ write: @escaping @Sendable (Int, ItemTools) throws(StoreError) -> Void,
      _ finish: @escaping @Sendable (Outcome) -> Void
    ) {
      self.count = count
      self.grain = grain
      self.write = write
      self.finish = finish
    }
  }

  /// How the writing of a batch ended.
  struct Outcome: Sendable {
    /// Nanoseconds that all threads together read and checked.
    let diskNanoseconds: Int
    /// Items whose pixels were in memory.
    let keptCount: Int
    /// The failure of the first item that failed.
    let failure: (index: Int, error: StoreError)?
  }

  /// Threads.
  let width: Int
  private let jobs = Mutex<[Job]>([])
  private let wakeUps = DispatchSemaphore(value: 0)

  /// A pool that reads from `store`; its threads live as long as the process.
  init(_ store: TripletStore, width: Int = ProcessInfo.processInfo.activeProcessorCount) {
    self.width = max(1, width)
    for index in 0..<self.width {
      let thread = Thread { [self] in
        lowerThreadPriority(Self.niceness)
        let tools = ItemTools(store)
        while true {
          wakeUps.wait()
          while let job = nextJob() { help(job, tools) }
        }
      }
      thread.name = "decode-\(index)"
      thread.stackSize = Self.stackBytes
      thread.start()
    }
  }

  /// Calls `write` for each of `0..<count`, on several threads at once.
  func perform(
    _ count: Int, _ write: @escaping @Sendable (Int, ItemTools) throws(StoreError) -> Void
  ) async -> Outcome {
    guard count > 0 else { return Outcome(diskNanoseconds: 0, keptCount: 0, failure: nil) }
    return await withCheckedContinuation { continuation in
      let job = Job(count, max(1, min(Self.maximumGrain, count / (8 * width))), write) {
        continuation.resume(returning: $0)
      }
      jobs.withLock { $0.append(job) }
      for _ in 0..<min(width, count) { wakeUps.signal() }
    }
  }

  /// The first batch that has items left; those without are dropped.
  private func nextJob() -> Job? {
    jobs.withLock { jobs in
      while let job = jobs.first, job.next.load(ordering: .relaxed) >= job.count {
        jobs.removeFirst()
      }
      return jobs.first
    }
  }

  private func help(_ job: Job, _ tools: ItemTools) {
    while true {
      let start = job.next.wrappingAdd(job.grain, ordering: .relaxed).oldValue
      guard start < job.count else { return }
      let end = min(start + job.grain, job.count)
      for index in start..<end { write(index, job, tools) }
      job.diskNanoseconds.wrappingAdd(tools.takeDiskTime(), ordering: .relaxed)
      job.keptCount.wrappingAdd(tools.takeKeptCount(), ordering: .relaxed)
      let done =
        job.doneCount.wrappingAdd(end - start, ordering: .acquiringAndReleasing).newValue
      if done == job.count {
        job.finish(
          Outcome(
            diskNanoseconds: job.diskNanoseconds.load(ordering: .relaxed),
            keptCount: job.keptCount.load(ordering: .relaxed),
            failure: job.failure.withLock { $0 }))
      }
    }
  }

  private func write(_ index: Int, _ job: Job, _ tools: ItemTools) {
    guard job.failure.withLock({ $0.map { $0.index > index } ?? true }) else { return }
    do throws(StoreError) {
      try job.write(index, tools)
    } catch {
      job.failure.withLock { failure in
        if failure.map({ $0.index > index }) ?? true { failure = (index, error) }
      }
    }
  }
}
