/// The stable words that tell a program what went wrong.
///
/// Each has one JSON-RPC code. Words and codes are never renumbered and never reused.
public enum ErrorWord: String, Codable, Sendable, CaseIterable {
  /// The JSON of a frame or line is broken or nests too deeply.
  case parseError = "parse_error"
  /// The JSON is not a JSON-RPC 2.0 request.
  case invalidRequest = "invalid_request"
  /// No method has that name.
  case methodUnknown = "method_unknown"
  /// A parameter is missing, has another type, or is outside its range.
  case invalidParams = "invalid_params"
  /// The daemon failed; its log has the details.
  case internalError = "internal_error"
  /// A frame breaks the frame layout; the connection is closed behind this answer.
  case badFrame = "bad_frame"
  /// A body is not well-formed safetensors or holds other tensors than agreed.
  case badBody = "bad_body"
  /// Another method came before `hello`.
  case helloRequired = "hello_required"
  /// Both sides have no protocol version in common.
  case protocolUnsupported = "protocol_unsupported"
  /// The answer has a body, and newline-delimited connections carry none.
  case framesRequired = "frames_required"
  /// A category name breaks the naming rules.
  case categoryInvalid = "category_invalid"
  /// The store has no such category.
  case categoryUnknown = "category_unknown"
  /// A category has fewer triplets than asked for.
  case categoryThin = "category_thin"
  /// The store has no such split.
  case splitUnknown = "split_unknown"
  /// The store has no such triplet.
  case tripletUnknown = "triplet_unknown"
  /// Stored bytes do not match their checksum; the triplet is set aside.
  case tripletCorrupt = "triplet_corrupt"
  /// The store has no such job.
  case jobUnknown = "job_unknown"
  /// The job has no such item, or the item is not leased.
  case itemUnknown = "item_unknown"
  /// The item has been leased to somebody else since.
  case tokenStale = "token_stale"
  /// The connection has no such stream.
  case streamUnknown = "stream_unknown"
  /// The store no longer has, or never had, that snapshot.
  case snapshotGone = "snapshot_gone"
  /// A policy, delivery or option that this daemon does not offer.
  case unsupported
  /// A limit of the connection is used up; ask again after something has been given back.
  case overQuota = "over_quota"
  /// The wait reached its deadline; nothing was lost.
  case deadlineReached = "deadline_reached"
  /// The store cannot take changes: read-only, full, or failing.
  case storeUnwritable = "store_unwritable"
  /// The store has reached its quota, or the disk the reserve that must stay free.
  case storeFull = "store_full"
  /// The daemon is stopping; ask again when it is back.
  case stopping

  /// The JSON-RPC code.
  public var code: Int {
    switch self {
    case .parseError: -32700
    case .invalidRequest: -32600
    case .methodUnknown: -32601
    case .invalidParams: -32602
    case .internalError: -32603
    case .badFrame: -32000
    case .badBody: -32001
    case .helloRequired: -32002
    case .protocolUnsupported: -32003
    case .framesRequired: -32004
    case .categoryInvalid: -32010
    case .categoryUnknown: -32011
    case .categoryThin: -32012
    case .splitUnknown: -32013
    case .tripletUnknown: -32020
    case .tripletCorrupt: -32021
    case .jobUnknown: -32030
    case .itemUnknown: -32031
    case .tokenStale: -32032
    case .streamUnknown: -32040
    case .snapshotGone: -32041
    case .unsupported: -32050
    case .overQuota: -32060
    case .deadlineReached: -32061
    case .storeUnwritable: -32070
    case .storeFull: -32072
    case .stopping: -32071
    }
  }
}
