import Imaging
import Schema
import Testing

/// `Resize` against values worked out by hand.
@Suite struct ResizeTests {
  private func gray(_ values: [UInt8], width: Int) -> RGBImage {
    RGBImage(
      width: width, height: values.count / width, pixels: values.flatMap { [$0, $0, $0] })
  }

  private func reds(_ image: RGBImage) -> [UInt8] {
    stride(from: 0, to: image.pixels.count, by: 3).map { image.pixels[$0] }
  }

  @Test("halving averages two by two pixels and rounds half up")
  func averages() {
    let source = gray([0, 2, 10, 20, 4, 6, 30, 41], width: 4)
    // (0 + 2 + 4 + 6) / 4 = 3; (10 + 20 + 30 + 41) / 4 = 25.25
    #expect(reds(Resize.image(source, width: 2, height: 1)) == [3, 25])
    #expect(reds(Resize.image(gray([1, 2], width: 2), width: 1, height: 1)) == [2])
  }

  @Test("three pixels into two share the middle one")
  func averagesFractions() {
    // (2·0 + 1·90) / 3 = 30 and (1·90 + 2·30) / 3 = 50
    #expect(reds(Resize.image(gray([0, 90, 30], width: 3), width: 2, height: 1)) == [30, 50])
  }

  @Test("doubling interpolates between pixel centres and repeats the ends")
  func interpolates() {
    // Centres of the target lie at -0.25, 0.25, 0.75, 1.25 source pixels.
    #expect(reds(Resize.image(gray([0, 100], width: 2), width: 4, height: 1)) == [0, 25, 75, 100])
  }

  @Test("one axis may shrink while the other grows")
  func mixesAxes() {
    // Down: rows average to 10 and 30 per column; across: as above.
    let source = gray([0, 20, 20, 40], width: 2)
    #expect(reds(Resize.image(source, width: 4, height: 1)) == [10, 15, 25, 30])
  }

  @Test("a constant picture stays constant at any size")
  func keepsConstants() {
    let source = gray([UInt8](repeating: 201, count: 7 * 5), width: 7)
    for (width, height) in [(1, 1), (3, 11), (7, 5), (64, 2), (13, 13)] {
      let values = Set(Resize.image(source, width: width, height: height).pixels)
      #expect(values == [201], "\(width)x\(height)")
    }
  }

  @Test("masks and labels take the nearest pixel")
  func takesNearest() {
    let mask = BinaryMask(width: 2, height: 1, values: [1, 0])
    #expect(Resize.nearest(mask, width: 4, height: 2).values == [1, 1, 0, 0, 1, 1, 0, 0])
    #expect(
      Resize.nearest(
        labels: [7, 8, 9, 65535], sourceWidth: 4, sourceHeight: 1, width: 2, height: 1)
        == [8, 65535])
    let image = gray([5, 250], width: 2)
    #expect(reds(Resize.nearest(image, width: 3, height: 1)) == [5, 250, 250])
  }

  @Test("a size of 0 or over the limit traps")
  func trapsOnBadSides() async {
    await #expect(processExitsWith: .failure) {
      _ = Resize.image(RGBImage(width: 1, height: 1, pixels: [1, 2, 3]), width: 0, height: 1)
    }
    await #expect(processExitsWith: .failure) {
      _ = Resize.image(
        RGBImage(width: 1, height: 1, pixels: [1, 2, 3]), width: Resize.maximumSide + 1, height: 1)
    }
  }
}
