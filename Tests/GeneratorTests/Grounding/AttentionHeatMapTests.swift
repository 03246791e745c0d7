import Testing

@testable import Generator

/// Heat maps of attention made by hand, and those of a small random model.
@Suite struct AttentionHeatMapTests {
  private let workspace = Workspace(threadCount: 1)

  /// `[2, 1, 4, 3]`: in picture 1, token 1 acts on pixel 0 and token 2 on pixel 3 of a 2x2 map.
  private func tap(_ name: String) -> UNetTap {
    var values = [Float](repeating: 0, count: 24)
    values[12 + 0 * 3 + 1] = 0.9
    values[12 + 3 * 3 + 2] = 0.9
    return UNetTap(name: name, value: workspace.tensor(values, shape: [2, 1, 4, 3]))
  }

  @Test("a word's heat is where its own tokens act, from 0 to 1, in its own picture")
  func cornerOfTheWord() {
    var maps = AttentionHeatMaps(height: 4, width: 4)
    maps.add([tap("up_blocks.0.attentions.0.transformer_blocks.0.attn2")], row: 1)
    let first = maps.map(tokens: [1], height: 8, width: 8)
    #expect(first.count == 64)
    #expect(abs((first.max() ?? 0) - 1) < 1e-4 && first.min() == 0)
    #expect(first[0] > 0.9 && first[63] < 0.1)
    let second = maps.map(tokens: [2], height: 8, width: 8)
    #expect(second[63] > 0.9 && second[0] < 0.1)
    let both = maps.map(tokens: [1, 2], height: 8, width: 8)
    #expect(both[0] > 0.9 && both[63] > 0.9 && both[7] < 0.1)
    var other = AttentionHeatMaps(height: 4, width: 4)
    other.add([tap("up_blocks.0.attentions.0.transformer_blocks.0.attn2")], row: 0)
    #expect(other.map(tokens: [1], height: 8, width: 8).allSatisfy { $0 == 0 })
    #expect(maps.map(tokens: [], height: 2, width: 2) == [0, 0, 0, 0])
  }

  @Test("propagation carries heat to the pixels that attend to it")
  func propagation() {
    var maps = AttentionHeatMaps(height: 2, width: 2)
    // Pixel 1 attends to pixel 0; all others to themselves.
    let rows: [Float] = [1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
    let itself = UNetTap(
      name: "up_blocks.0.attentions.0.transformer_blocks.0.attn1",
      value: workspace.tensor(rows + rows, shape: [2, 1, 4, 4]))
    maps.add(
      [tap("up_blocks.0.attentions.0.transformer_blocks.0.attn2"), itself], row: 1)
    let plain = maps.map(tokens: [1], height: 2, width: 2)
    let carried = maps.map(tokens: [1], height: 2, width: 2, propagations: 2)
    #expect(plain[0] > 0.99 && plain[1] < 0.01)
    #expect(carried[0] > 0.99 && carried[1] > 0.99)
    #expect(carried[2] < 0.01 && carried[3] < 0.01)
  }

  @Test("the middle block is left out, and self-attention of the finest level")
  func wanted() throws {
    let layer = "attentions.0.transformer_blocks.0"
    #expect(AttentionHeatMaps.isWanted("down_blocks.1.\(layer).attn2"))
    #expect(!AttentionHeatMaps.isWanted("mid_block.\(layer).attn2"))
    #expect(!AttentionHeatMaps.isWanted("down_blocks.1.\(layer).attn1"))
    #expect(AttentionHeatMaps.isWantedToPropagate("down_blocks.1.\(layer).attn1", levels: 4))
    #expect(!AttentionHeatMaps.isWantedToPropagate("down_blocks.0.\(layer).attn1", levels: 4))
    #expect(!AttentionHeatMaps.isWantedToPropagate("up_blocks.3.\(layer).attn1", levels: 4))
    let model = try DiffusionModel(directory: Fixtures.model("sd1"), workspace: workspace)
    let output = model.unet(
      zeros(workspace.tensor([1, 16, 16, 4])), timestep: 1,
      context: try model.embed(["a cat"]).embedding,
      request: UNetRequest(attention: { $0.hasSuffix("attn1") }))
    #expect(!output.attention.isEmpty)
    for tap in output.attention {
      #expect(tap.value.shape[2] == tap.value.shape[3])
      let first = tap.value.values.prefix(tap.value.shape[3]).reduce(0, +)
      #expect(abs(first - 1) < 1e-4, "\(tap.name)")
    }
  }
}
