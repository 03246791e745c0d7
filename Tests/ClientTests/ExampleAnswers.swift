import Client
import Foundation
import Schema

/// Answers of a daemon that several suites show.
enum ExampleAnswers {
  /// The counts of a small store.
  static func counts() throws -> Counts.Result {
    Counts.Result(
      snapshot: 400, triplets: 150,
      categories: [
        CategoryCount(
          category: try CategoryName("cat"), stock: 60, instances: 72, target: 80, pending: 15,
          shortfall: 20),
        CategoryCount(
          category: try CategoryName("potted plant"), stock: 8, instances: 8, target: 0,
          pending: 0, shortfall: 0),
        CategoryCount(
          category: try CategoryName("dog"), stock: 100, instances: 140, target: 100, pending: 0,
          shortfall: 0),
      ])
  }

  /// A job with so many items done and parked.
  static func job(
    _ number: Int64 = 3, done: Int, parked: Int = 0, items: Int = 20,
    state: JobState = .active, lastError: String? = nil
  ) throws -> JobInfo {
    JobInfo(
      job: number, category: try CategoryName("cat"), target: 80, engine: "scenes", imageSize: 64,
      priority: 0, state: state, items: items, done: done, parked: parked, leased: 0,
      createdMicroseconds: 1_700_000_000_000_000,
      finishedMicroseconds: state == .active ? nil : 1_700_000_060_000_000, lastError: lastError)
  }

  /// A description of a triplet of 8x8 pixels with two cats and a dog.
  static func triplet(_ id: TripletID = 17) throws -> TripletInfo {
    let cat = try CategoryName("cat")
    return TripletInfo(
      triplet: id, width: 8, height: 8, prompt: "a photograph of two cats and a dog",
      masks: [
        MaskInfo(
          category: cat, instance: 0, source: .exact, confidence: 1, visibleFraction: 0.75,
          pixelCount: 16),
        MaskInfo(category: cat, instance: 1, source: .exact, pixelCount: 8),
        MaskInfo(category: try CategoryName("dog"), instance: 0, source: .grounding),
      ],
      provenance: Provenance(
        engine: "scenes", modelFingerprint: "sprites-0123", seed: 42, worker: "local-0",
        createdMicroseconds: 1_700_000_000_000_000),
      committedMicroseconds: 1_700_000_000_000_000)
  }

  /// The pixels that belong to it.
  static func body() -> [UInt8] {
    let image = RGBImage(width: 8, height: 8, pixels: [UInt8](repeating: 200, count: 192))
    let masks = (0..<3).map { index in
      BinaryMask(width: 8, height: 8, values: (0..<64).map { $0 / 16 == index ? 1 : 0 })
    }
    return TripletBody.encode(image: image, masks: masks)
  }

  /// A daemon that answers everything with these.
  static func daemon() throws -> FakeDaemon {
    let counts = try counts()
    let triplet = try triplet()
    let body = body()
    return try FakeDaemon { asked in
      switch asked.method {
      case Status.name: [.result(Status.exampleResult)]
      case Counts.name: [.result(counts)]
      case Check.name:
        [
          .result(
            Check.Result(
              triplets: 150, masks: 228, blobsRead: 0, problems: [], quarantined: []))
        ]
      case Backfill.name: [.result(Backfill.exampleResult)]
      case JobList.name, JobCancel.name: [.result(JobList.exampleResult)]
      case TripletQuery.name:
        [.result(TripletQuery.Result(triplets: [triplet], next: nil))]
      case TripletGet.name: [.result(triplet, body: body)]
      default: [.error(.methodUnknown, "no method '\(asked.method)'")]
      }
    }
  }
}
