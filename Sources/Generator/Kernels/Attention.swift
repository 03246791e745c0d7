private import CKernels

/// Query rows of one task.
private let queryRows = 96
/// Keys whose scores are held at a time: rows times keys stay in the second-level cache.
private let keyBlock = 512

/// Scaled dot-product attention without ever holding a full score matrix.
///
/// - Parameters:
///   - query: `[batch, queries, heads * depth]`.
///   - key: `[batch, keys, heads * depth]`.
///   - value: `[batch, keys, heads * depth]`.
///   - isCausal: query `i` sees keys `0...i`.
/// - Returns: `[batch, queries, heads * depth]`.
///
/// Keys and values of a head are packed once, then each block of queries runs over them with a
/// streaming softmax (Dao et al., "FlashAttention", 2022, algorithm 1).
func attention(
  _ query: Tensor, _ key: Tensor, _ value: Tensor, heads: Int, isCausal: Bool = false
) -> Tensor {
  let (batch, queries, width) = (query.shape[0], query.shape[1], query.shape[2])
  let keys = key.shape[1]
  precondition(
    key.shape == [batch, keys, width] && value.shape == key.shape && width % heads == 0,
    "attention of \(query.shape), \(key.shape), \(value.shape) with \(heads) heads")
  let y = query.like()
  let workspace = query.workspace
  let packed = PackedHeads(key: key, value: value, heads: heads)
  let queryBlocks = (queries + queryRows - 1) / queryRows
  workspace.parallel(batch * heads * queryBlocks) { task in
    let head = task / queryBlocks
    let first = task % queryBlocks * queryRows
    packed.attend(
      query, head: head, rows: first..<min(first + queryRows, queries), isCausal: isCausal, into: y)
  }
  return y
}

/// Softmax of the scaled scores, `[batch, heads, queries, keys]`: what cross-attention looks at.
func attentionProbabilities(_ query: Tensor, _ key: Tensor, heads: Int) -> Tensor {
  let (batch, queries, width) = (query.shape[0], query.shape[1], query.shape[2])
  let keys = key.shape[1]
  let depth = width / heads
  let panels = (keys + 31) / 32
  let y = query.workspace.tensor([batch, heads, queries, keys])
  let scale = 1 / Float(depth).squareRoot()
  query.workspace.parallel(batch * heads) { head in
    let panel = query.workspace.tensor([depth, 32])
    let scores = query.workspace.tensor([queries, panels * 32])
    let maximum = query.workspace.tensor(
      [Float](repeating: -.infinity, count: queries), shape: [queries])
    let sum = query.workspace.tensor([Float](repeating: 0, count: queries), shape: [queries])
    let start = head / heads * queries * width + head % heads * depth
    let keyStart = head / heads * keys * width + head % heads * depth
    // Safe: as in `PackedHeads.attend`; every head writes its own part of `y`.
    for block in 0..<panels {
      unsafe SwiftKernels.packTransposed(
        key.pointer + keyStart + block * 32 * width, width, min(32, keys - block * 32), depth,
        panel.pointer)
      unsafe gw_panel_product(
        query.pointer + start, width, panel.pointer, scores.pointer + block * 32, panels * 32,
        queries, depth, 32, 0)
    }
    unsafe gw_softmax_block(
      scores.pointer, panels * 32, queries, keys, 0, 0, scale, maximum.pointer, sum.pointer,
      scores.pointer, 0, 0)
    unsafe SwiftKernels.divideRows(
      scores.pointer, panels * 32, sum.pointer, queries, keys,
      y.pointer + head * queries * keys, keys)
  }
  return y
}

/// Keys (transposed) and values of every head as panels.
private struct PackedHeads {
  let heads: Int
  let keys: Int
  let depth: Int
  let keyPanels: Int
  let valueWidth: Int
  // [batch * heads, keyPanels, depth, 32]
  let packedKeys: Tensor
  // [batch * heads, panels of 32 (the last may be 16) columns, keys, 32]
  let packedValues: Tensor

  init(key: Tensor, value: Tensor, heads: Int) {
    let (batch, keys, width) = (key.shape[0], key.shape[1], key.shape[2])
    self.heads = heads
    self.keys = keys
    let depth = width / heads
    self.depth = depth
    let keyPanels = (keys + 31) / 32
    self.keyPanels = keyPanels
    let valueWidth = (depth + 15) / 16 * 16
    self.valueWidth = valueWidth
    let packedKeys = key.workspace.tensor([batch * heads, keyPanels, depth * 32])
    let packedValues = key.workspace.tensor([batch * heads, keys * valueWidth])
    self.packedKeys = packedKeys
    self.packedValues = packedValues
    let grain = 32
    let pieces = (keyPanels + grain - 1) / grain
    key.workspace.parallel(batch * heads * pieces) { task in
      let head = task / pieces
      let start = head / heads * keys * width + head % heads * depth
      // Safe: panels cover exactly the keys of the head; tasks write disjoint panels.
      for panel in task % pieces * grain..<min((task % pieces + 1) * grain, keyPanels) {
        unsafe SwiftKernels.packTransposed(
          key.pointer + start + panel * 32 * width, width, min(32, keys - panel * 32), depth,
          packedKeys.pointer + (head * keyPanels + panel) * depth * 32)
        let firstKey = panel * 32
        let count = min(32, keys - firstKey)
        var column = 0
        while column < valueWidth {
          let panelWidth = valueWidth - column >= 32 ? 32 : 16
          unsafe SwiftKernels.packPanel(
            value.pointer + head / heads * keys * width, width, head % heads * depth + column,
            min(panelWidth, depth - column), panelWidth, firstKey, count,
            packedValues.pointer + head * keys * valueWidth + column * keys
              + firstKey * panelWidth)
          column += panelWidth
        }
      }
    }
  }

  /// Attention of some query rows of one head, written to their place in `y`.
  func attend(
    _ query: Tensor, head: Int, rows: Range<Int>, isCausal: Bool, into y: Tensor
  ) {
    let workspace = query.workspace
    let (count, width, queries) = (rows.count, query.shape[2], query.shape[1])
    let scores = workspace.tensor([count, keyBlock])
    let sums = workspace.tensor(
      [Float](repeating: 0, count: count * valueWidth), shape: [count, valueWidth])
    let maximum = workspace.tensor([Float](repeating: -.infinity, count: count), shape: [count])
    let total = workspace.tensor([Float](repeating: 0, count: count), shape: [count])
    let scale = 1 / Float(depth).squareRoot()
    let start = (head / heads * queries + rows.lowerBound) * width + head % heads * depth
    let lastKey = isCausal ? min(keys, rows.upperBound) : keys
    // Safe: rows, keys and columns stay inside the tensors, whose shapes `attention` checked.
    for firstKey in stride(from: 0, to: lastKey, by: keyBlock) {
      let blockKeys = min(keyBlock, lastKey - firstKey)
      for panel in 0..<(blockKeys + 31) / 32 {
        unsafe gw_panel_product(
          query.pointer + start, width,
          packedKeys.pointer + (head * keyPanels + firstKey / 32 + panel) * depth * 32,
          scores.pointer + panel * 32, keyBlock, count, depth, 32, 0)
      }
      unsafe gw_softmax_block(
        scores.pointer, keyBlock, count, blockKeys,
        isCausal ? 1 : 0,
        rows.lowerBound + 1 - firstKey, scale, maximum.pointer,
        total.pointer, sums.pointer, valueWidth, valueWidth)
      var column = 0
      while column < valueWidth {
        let panelWidth = valueWidth - column >= 32 ? 32 : 16
        unsafe gw_panel_product(
          scores.pointer, keyBlock,
          packedValues.pointer + head * keys * valueWidth + column * keys
            + firstKey * panelWidth,
          sums.pointer + column, valueWidth, count, blockKeys, Int32(panelWidth), 1)
        column += panelWidth
      }
    }
    unsafe SwiftKernels.divideRows(
      sums.pointer, valueWidth, total.pointer, count, depth, y.pointer + start, width)
  }
}
