import Schema
import Synchronization

/// What the daemon has done since it started, counted where it is done.
final class ServingCounters: Sendable {
  /// Batches that were handed out inline, and in shared memory.
  let inlineBatches = Atomic<Int>(0)
  let sharedBatches = Atomic<Int>(0)
  /// Bytes of those batches.
  let batchBytes = Atomic<Int>(0)
  /// Triplets in those batches.
  let batchTriplets = Atomic<Int>(0)
  /// Triplets whose pixels were in memory and needed no decoding.
  let keptPixels = Atomic<Int>(0)
  /// Microseconds that batches waited, by cause.
  let thinMicroseconds = Atomic<Int>(0)
  let quotaMicroseconds = Atomic<Int>(0)
  let diskMicroseconds = Atomic<Int>(0)
  let decodeMicroseconds = Atomic<Int>(0)
  /// Batches that are being made, from the request to the answer.
  let batchesInHand = Atomic<Int>(0)
  /// Triplets that were handed in and are not acknowledged yet.
  let commitsInHand = Atomic<Int>(0)
  /// Triplets that became durable, and the bytes that they came in.
  let ingestedTriplets = Atomic<Int>(0)
  let ingestedBytes = Atomic<Int>(0)
  /// Triplets that were deleted.
  let deletedTriplets = Atomic<Int>(0)
  /// Leases whose time ran out.
  let expiredLeases = Atomic<Int>(0)
  /// Triplets whose bytes were not what was written.
  let checksumFailures = Atomic<Int>(0)
  /// Requests that were answered with a result.
  let answeredRequests = Atomic<Int>(0)
  /// Connections: taken, turned away, closed because they stood still, closed for a broken frame.
  let acceptedConnections = Atomic<Int>(0)
  let refusedConnections = Atomic<Int>(0)
  let stalledConnections = Atomic<Int>(0)
  let brokenConnections = Atomic<Int>(0)
  /// Requests that were answered with an error, by word.
  private let refusals = Mutex<[ErrorWord: Int]>([:])

  /// Counts a batch that goes out.
  func countBatch(bytes: Int, triplets: Int, waits: BatchWaits, isShared: Bool) {
    if isShared {
      sharedBatches.wrappingAdd(1, ordering: .relaxed)
    } else {
      inlineBatches.wrappingAdd(1, ordering: .relaxed)
    }
    batchBytes.wrappingAdd(bytes, ordering: .relaxed)
    batchTriplets.wrappingAdd(triplets, ordering: .relaxed)
    thinMicroseconds.wrappingAdd(waits.thinUs, ordering: .relaxed)
    quotaMicroseconds.wrappingAdd(waits.quotaUs, ordering: .relaxed)
    diskMicroseconds.wrappingAdd(waits.diskUs, ordering: .relaxed)
    decodeMicroseconds.wrappingAdd(waits.decodeUs, ordering: .relaxed)
  }

  /// Counts an error that goes out.
  func countRefusal(_ word: ErrorWord) { refusals.withLock { $0[word, default: 0] += 1 } }

  /// Errors by word.
  var refusalsByWord: [ErrorWord: Int] { refusals.withLock { $0 } }
}
