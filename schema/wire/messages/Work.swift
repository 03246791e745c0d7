/// Brings categories up to a target, by work that generators do.
public enum Backfill: Method {
  /// One category and how many triplets it should have.
  public struct Goal: Codable, Sendable, Equatable {
    /// The category.
    public var category: CategoryName
    /// Triplets it should have.
    public var target: Int

    /// Creates a goal.
    public init(category: CategoryName, target: Int) {
      self.category = category
      self.target = target
    }
  }

  /// What a caller sends.
  public struct Params: Codable, Sendable, Equatable {
    /// The goals, each category once.
    public var goals: [Goal]
    /// The engine; the daemon's default when absent.
    public var engine: String?
    /// Pixels along a side of the square images; the daemon's default when absent.
    public var imageSize: Int?
    /// Higher goes first; 0 when absent.
    public var priority: Int?
    /// Seed of the new jobs, 0 to 2^53 - 1; chosen by the daemon when absent.
    public var seed: Int64?
    /// Whether other categories may appear in the same images; true when absent.
    public var companions: Bool?

    /// Creates parameters.
    public init(
      goals: [Goal], engine: String? = nil, imageSize: Int? = nil, priority: Int? = nil,
      seed: Int64? = nil, companions: Bool? = nil
    ) {
      self.goals = goals
      self.engine = engine
      self.imageSize = imageSize
      self.priority = priority
      self.seed = seed
      self.companions = companions
    }
  }

  /// What became of one goal.
  public struct Outcome: Codable, Sendable, Equatable {
    /// The category.
    public var category: CategoryName
    /// `created`, `joined` (work under way reaches the target already) or `satisfied`.
    public var outcome: String
    /// The jobs that lead to the target.
    public var jobs: [Int64]
    /// Triplets it has now.
    public var stock: Int
    /// Triplets it should have.
    public var target: Int

    /// Creates an outcome.
    public init(
      category: CategoryName, outcome: String, jobs: [Int64], stock: Int, target: Int
    ) {
      self.category = category
      self.outcome = outcome
      self.jobs = jobs
      self.stock = stock
      self.target = target
    }
  }

  /// What the daemon answers.
  public struct Result: Codable, Sendable, Equatable {
    /// One for each goal, in its order.
    public var outcomes: [Outcome]

    /// Creates an answer.
    public init(outcomes: [Outcome]) { self.outcomes = outcomes }
  }

  /// The name on the wire.
  public static let name = "backfill"
  /// A filled-in request.
  public static let exampleParams = Params(
    goals: [Goal(category: .cat, target: 80)], engine: "scenes", imageSize: 64, priority: 1,
    seed: 7, companions: true)
  /// A filled-in answer.
  public static let exampleResult = Result(outcomes: [
    Outcome(category: .cat, outcome: "created", jobs: [3], stock: 60, target: 80)
  ])
}

/// Where a job stands.
public enum JobState: String, Codable, Sendable, CaseIterable {
  /// Has items that are neither done nor parked.
  case active
  /// All items are done.
  case done
  /// All items are done or parked, at least one parked.
  case failed
  /// Was cancelled before it was finished.
  case cancelled
}

/// A backfill under way or finished.
public struct JobInfo: Codable, Sendable, Equatable {
  /// Its identity.
  public var job: Int64
  /// The category it fills.
  public var category: CategoryName
  /// The target it was made for.
  public var target: Int
  /// The engine that works on it.
  public var engine: String
  /// Pixels along a side of its images.
  public var imageSize: Int
  /// Higher goes first.
  public var priority: Int
  /// Where it stands.
  public var state: JobState
  /// Items in all.
  public var items: Int
  /// Items that are done.
  public var done: Int
  /// Items that failed too often.
  public var parked: Int
  /// Items that a worker holds.
  public var leased: Int
  /// Microseconds since 1970.
  public var createdMicroseconds: Int64
  /// Microseconds since 1970; absent while it is active.
  public var finishedMicroseconds: Int64?
  /// What the last failed item said.
  public var lastError: String?

  /// Creates a description.
  public init(
    job: Int64, category: CategoryName, target: Int, engine: String, imageSize: Int,
    priority: Int, state: JobState, items: Int, done: Int, parked: Int, leased: Int,
    createdMicroseconds: Int64, finishedMicroseconds: Int64?, lastError: String?
  ) {
    self.job = job
    self.category = category
    self.target = target
    self.engine = engine
    self.imageSize = imageSize
    self.priority = priority
    self.state = state
    self.items = items
    self.done = done
    self.parked = parked
    self.leased = leased
    self.createdMicroseconds = createdMicroseconds
    self.finishedMicroseconds = finishedMicroseconds
    self.lastError = lastError
  }

  static let example = JobInfo(
    job: 3, category: .cat, target: 80, engine: "scenes", imageSize: 64, priority: 1,
    state: .failed, items: 20, done: 19, parked: 1, leased: 0,
    createdMicroseconds: 1_700_000_000_000_000, finishedMicroseconds: 1_700_000_002_000_000,
    lastError: "item 4: no sprite of 'cat'")
}

/// Jobs as an answer.
public struct JobsResult: Codable, Sendable, Equatable {
  /// The jobs.
  public var jobs: [JobInfo]

  /// Creates an answer.
  public init(jobs: [JobInfo]) { self.jobs = jobs }
}

/// Lists jobs, newest first.
public enum JobList: Method {
  /// What a caller sends.
  public struct Params: Codable, Sendable, Equatable {
    /// Only these; all when absent.
    public var jobs: [Int64]?
    /// Only those in this state.
    public var state: JobState?
    /// At most this many; 100 when absent.
    public var limit: Int?

    /// Creates parameters.
    public init(jobs: [Int64]? = nil, state: JobState? = nil, limit: Int? = nil) {
      self.jobs = jobs
      self.state = state
      self.limit = limit
    }
  }

  /// Answers the jobs.
  public typealias Result = JobsResult
  /// The name on the wire.
  public static let name = "job.list"
  /// A filled-in request.
  public static let exampleParams = Params(jobs: [3], state: .active, limit: 10)
  /// A filled-in answer.
  public static let exampleResult = JobsResult(jobs: [.example])
}

/// Cancels jobs; what is done stays, what is leased is refused when it comes.
public enum JobCancel: Method {
  /// What a caller sends.
  public struct Params: Codable, Sendable, Equatable {
    /// The jobs.
    public var jobs: [Int64]

    /// Creates parameters.
    public init(jobs: [Int64]) { self.jobs = jobs }
  }

  /// Answers the jobs as they are afterwards.
  public typealias Result = JobsResult
  /// The name on the wire.
  public static let name = "job.cancel"
  /// A filled-in request.
  public static let exampleParams = Params(jobs: [3])
  /// A filled-in answer.
  public static let exampleResult = JobsResult(jobs: [.example])
}

/// Waits until jobs are finished, with `progress` notifications meanwhile.
public enum JobWait: Method {
  /// What a caller sends.
  public struct Params: Codable, Sendable, Equatable {
    /// The jobs.
    public var jobs: [Int64]
    /// Answers after this long in any case.
    public var waitSeconds: Double

    /// Creates parameters.
    public init(jobs: [Int64], waitSeconds: Double) {
      self.jobs = jobs
      self.waitSeconds = waitSeconds
    }
  }

  /// What the daemon answers.
  public struct Result: Codable, Sendable, Equatable {
    /// The jobs as they are now.
    public var jobs: [JobInfo]
    /// Whether none is active any more.
    public var finished: Bool

    /// Creates an answer.
    public init(jobs: [JobInfo], finished: Bool) {
      self.jobs = jobs
      self.finished = finished
    }
  }

  /// The name on the wire.
  public static let name = "job.wait"
  /// A filled-in request.
  public static let exampleParams = Params(jobs: [3], waitSeconds: 30)
  /// A filled-in answer.
  public static let exampleResult = Result(jobs: [.example], finished: true)
}

/// A category that may appear beside the one an item is for.
public struct Companion: Codable, Sendable, Equatable {
  /// The category.
  public var category: CategoryName
  /// How often it is taken, relative to the others.
  public var weight: Int

  /// Creates a companion.
  public init(category: CategoryName, weight: Int) {
    self.category = category
    self.weight = weight
  }
}

/// One triplet to make.
public struct WorkItem: Codable, Sendable, Equatable {
  /// The job it belongs to.
  public var job: Int64
  /// Its number within the job.
  public var ordinal: Int
  /// The fencing token that `work.submit` must show.
  public var token: Int64
  /// The category that must be in the image.
  public var category: CategoryName
  /// The engine that is to make it.
  public var engine: String
  /// Pixels along a side of the image.
  public var imageSize: Int
  /// The item's own seed: same seed, same triplet.
  public var seed: Int64
  /// Categories that may appear beside it.
  public var companions: [Companion]
  /// Failures so far.
  public var attempts: Int
  /// Microseconds since 1970 at which the lease runs out.
  public var expiresMicroseconds: Int64

  /// Creates an item.
  public init(
    job: Int64, ordinal: Int, token: Int64, category: CategoryName, engine: String,
    imageSize: Int, seed: Int64, companions: [Companion], attempts: Int,
    expiresMicroseconds: Int64
  ) {
    self.job = job
    self.ordinal = ordinal
    self.token = token
    self.category = category
    self.engine = engine
    self.imageSize = imageSize
    self.seed = seed
    self.companions = companions
    self.attempts = attempts
    self.expiresMicroseconds = expiresMicroseconds
  }

  /// What names this lease.
  public var lease: LeaseReference {
    LeaseReference(job: job, ordinal: ordinal, token: token)
  }
}

/// Names one lease of one item.
public struct LeaseReference: Codable, Sendable, Hashable {
  /// The job.
  public var job: Int64
  /// The item's number.
  public var ordinal: Int
  /// The fencing token.
  public var token: Int64

  /// Creates a reference.
  public init(job: Int64, ordinal: Int, token: Int64) {
    self.job = job
    self.ordinal = ordinal
    self.token = token
  }
}

/// Takes items to work on; a lease ends with its connection or when its time runs out.
public enum WorkLease: Method {
  /// What a caller sends.
  public struct Params: Codable, Sendable, Equatable {
    /// The worker's name, for provenance.
    public var worker: String
    /// Engines that the worker has.
    public var engines: [String]
    /// At most this many items.
    public var count: Int
    /// Seconds until an unrenewed lease runs out; 30 when absent.
    public var leaseSeconds: Int?
    /// Seconds to wait for an item when there is none; 0 when absent.
    public var waitSeconds: Double?

    /// Creates parameters.
    public init(
      worker: String, engines: [String], count: Int, leaseSeconds: Int? = nil,
      waitSeconds: Double? = nil
    ) {
      self.worker = worker
      self.engines = engines
      self.count = count
      self.leaseSeconds = leaseSeconds
      self.waitSeconds = waitSeconds
    }
  }

  /// What the daemon answers.
  public struct Result: Codable, Sendable, Equatable {
    /// The items; empty when there are none.
    public var items: [WorkItem]

    /// Creates an answer.
    public init(items: [WorkItem]) { self.items = items }
  }

  /// The name on the wire.
  public static let name = "work.lease"
  /// A filled-in request.
  public static let exampleParams = Params(
    worker: "local-0", engines: ["scenes"], count: 16, leaseSeconds: 30, waitSeconds: 10)
  /// A filled-in answer.
  public static let exampleResult = Result(items: [
    WorkItem(
      job: 3, ordinal: 4, token: 9, category: .cat, engine: "scenes", imageSize: 64, seed: 42,
      companions: [Companion(category: .dog, weight: 5)], attempts: 1,
      expiresMicroseconds: 1_700_000_030_000_000)
  ])
}

/// Makes leases last longer.
public enum WorkRenew: Method {
  /// What a caller sends.
  public struct Params: Codable, Sendable, Equatable {
    /// The leases.
    public var leases: [LeaseReference]
    /// Seconds from now; 30 when absent.
    public var leaseSeconds: Int?

    /// Creates parameters.
    public init(leases: [LeaseReference], leaseSeconds: Int? = nil) {
      self.leases = leases
      self.leaseSeconds = leaseSeconds
    }
  }

  /// What the daemon answers.
  public struct Result: Codable, Sendable, Equatable {
    /// Leases that are no longer the caller's; stop working on them.
    public var lost: [LeaseReference]

    /// Creates an answer.
    public init(lost: [LeaseReference]) { self.lost = lost }
  }

  /// The name on the wire.
  public static let name = "work.renew"
  /// A filled-in request.
  public static let exampleParams = Params(
    leases: [LeaseReference(job: 3, ordinal: 4, token: 9)], leaseSeconds: 30)
  /// A filled-in answer.
  public static let exampleResult = Result(lost: [
    LeaseReference(job: 3, ordinal: 4, token: 9)
  ])
}

/// Hands in a triplet; answered when it is durable.
///
/// The body holds `image` U8 `[height, width, 3]` and `masks` U8 `[masks, height, width]` of 0 and
/// 1. Submitting an item again that is done answers the triplet that it became.
public enum WorkSubmit: Method {
  /// What a caller sends.
  public struct Params: Codable, Sendable, Equatable {
    /// The lease.
    public var lease: LeaseReference
    /// The text that the image was made from.
    public var prompt: String
    /// One for each mask of the body, in its order.
    public var masks: [MaskInfo]
    /// How it was made.
    public var provenance: Provenance

    /// Creates parameters.
    public init(
      lease: LeaseReference, prompt: String, masks: [MaskInfo], provenance: Provenance
    ) {
      self.lease = lease
      self.prompt = prompt
      self.masks = masks
      self.provenance = provenance
    }
  }

  /// What the daemon answers.
  public struct Result: Codable, Sendable, Equatable {
    /// The triplet that the item became.
    public var triplet: TripletID
    /// Whether it had been handed in before.
    public var duplicate: Bool

    /// Creates an answer.
    public init(triplet: TripletID, duplicate: Bool) {
      self.triplet = triplet
      self.duplicate = duplicate
    }
  }

  /// The name on the wire.
  public static let name = "work.submit"
  /// A filled-in request.
  public static let exampleParams = Params(
    lease: LeaseReference(job: 3, ordinal: 4, token: 9),
    prompt: "a photograph of a cat on the grass", masks: TripletInfo.example.masks,
    provenance: TripletInfo.example.provenance)
  /// A filled-in answer.
  public static let exampleResult = Result(triplet: 17, duplicate: false)
}

/// Reports that an item cannot be made; after three failures it is parked.
public enum WorkFail: Method {
  /// What a caller sends.
  public struct Params: Codable, Sendable, Equatable {
    /// The lease.
    public var lease: LeaseReference
    /// One sentence.
    public var error: String

    /// Creates parameters.
    public init(lease: LeaseReference, error: String) {
      self.lease = lease
      self.error = error
    }
  }

  /// What the daemon answers.
  public struct Result: Codable, Sendable, Equatable {
    /// Whether it will not be tried again.
    public var parked: Bool
    /// Failures so far.
    public var attempts: Int

    /// Creates an answer.
    public init(parked: Bool, attempts: Int) {
      self.parked = parked
      self.attempts = attempts
    }
  }

  /// The name on the wire.
  public static let name = "work.fail"
  /// A filled-in request.
  public static let exampleParams = Params(
    lease: LeaseReference(job: 3, ordinal: 4, token: 9), error: "no sprite of 'cat'")
  /// A filled-in answer.
  public static let exampleResult = Result(parked: true, attempts: 3)
}

/// Gives leases back without counting a failure.
public enum WorkRelease: Method {
  /// What a caller sends.
  public struct Params: Codable, Sendable, Equatable {
    /// The leases.
    public var leases: [LeaseReference]

    /// Creates parameters.
    public init(leases: [LeaseReference]) { self.leases = leases }
  }

  /// Answers nothing.
  public typealias Result = Empty
  /// The name on the wire.
  public static let name = "work.release"
  /// A filled-in request.
  public static let exampleParams = Params(
    leases: [LeaseReference(job: 3, ordinal: 4, token: 9)])
  /// A filled-in answer.
  public static let exampleResult = Empty()
}
