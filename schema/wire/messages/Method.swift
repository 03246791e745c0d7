/// A method of the daemon: its name, what it takes and what it answers.
///
/// Every message is listed in `openrpc.json`; a test holds the two together through the examples.
public protocol Method: Sendable {
  /// What a caller sends.
  associatedtype Params: Codable & Sendable
  /// What the daemon answers.
  associatedtype Result: Codable & Sendable
  /// The name on the wire.
  static var name: String { get }
  /// A request with every field filled in.
  static var exampleParams: Params { get }
  /// An answer with every field filled in.
  static var exampleResult: Result { get }
}

/// The methods of protocol version 1.
public enum Methods {
  /// All of them, in the order of the documentation.
  public static let all: [any Method.Type] = [
    Hello.self, Ping.self, Status.self, Diagnose.self, Counts.self, Check.self, Recount.self,
    Compact.self, Backup.self, Backfill.self, JobList.self, JobCancel.self, JobWait.self,
    TripletQuery.self, TripletSearch.self, TripletGet.self, TripletImport.self, ImportList.self,
    TripletDelete.self, QuarantineList.self, QuarantineRelease.self, WorkLease.self,
    WorkRenew.self, WorkSubmit.self, WorkFail.self, WorkRelease.self, StreamOpen.self,
    BatchGet.self, BatchDone.self, StreamClose.self,
  ]
  /// The protocol versions that this code speaks, best first.
  public static let protocolVersions = [1]
  /// The notification that reports how far a waiting request is.
  public static let progressName = "progress"
}

/// An object without fields.
public struct Empty: Codable, Sendable, Equatable {
  /// Creates one.
  public init() {}
}
