import Testing

@testable import Generator

/// Every kernel of the table against its textbook definition.
@Suite struct KernelCaseTests {
  @Test("kernels agree with their textbook definitions", arguments: KernelCase.small.indices)
  func agrees(index: Int) {
    let kernel = KernelCase.small[index]
    var results: [[Float]] = []
    for threads in [1, 3] {
      let inputs = kernel.inputs(Workspace(threadCount: threads))
      let values = kernel.kernel(inputs)().values
      let error = relativeError(values, kernel.naive(inputs).map { Float($0) })
      #expect(error <= kernel.tolerance, "\(kernel.name): relative error \(error)")
      results.append(values)
    }
    #expect(relativeError(results[0], results[1]) <= 1e-6, "\(kernel.name): threads change it")
  }

  /// The level holds for a whole process, so each has one of its own.
  @Test(
    "kernels agree with their definitions and with Swift at every machine level",
    arguments: KernelLevel.allCases.map(\.rawValue))
  func levels(name: String) async {
    await #expect(processExitsWith: .success) { [name = name as String] in
      let level = try #require(KernelLevel(rawValue: name))
      let used = KernelLevel.limit(level)
      #expect(level != .baseline || used == .baseline)
      for kernel in KernelCase.small {
        let inputs = kernel.inputs(Workspace(threadCount: 1))
        let error = relativeError(
          kernel.kernel(inputs)().values, kernel.naive(inputs).map { Float($0) })
        #expect(error <= kernel.tolerance, "\(kernel.name): relative error \(error) by \(used)")
      }
      for kernel in KernelComparison.all {
        let versions = kernel.prepare(Workspace(threadCount: 1))
        versions.c()
        versions.swift()
        let (c, swift) = versions.results()
        let error = relativeError(c, swift)
        #expect(error <= 1e-6, "\(kernel.name): \(error) from Swift by \(used)")
      }
    }
  }

  @Test("infinities and NaN are found in values of every kind", arguments: [0, 15, 16, 99])
  func nonFinite(place: Int) {
    let finite = Weight([Float](repeating: -.greatestFiniteMagnitude, count: 100), shape: [100])
    #expect(!finite.hasNonFinite)
    for bad in [Float.infinity, -.infinity, .nan] {
      var values = [Float](repeating: 1, count: 100)
      values[place] = bad
      #expect(Weight(values, shape: [100]).hasNonFinite)
      for (kind, largest, word) in [
        (Weight.Kind.float16, UInt16(0x7BFF), Float16(bad).bitPattern),
        (.bfloat16, 0x7F7F, UInt16(bad.bitPattern >> 16)),
      ] {
        #expect(!halves([UInt16](repeating: largest, count: 100), kind).hasNonFinite)
        var words = [UInt16](repeating: largest, count: 100)
        words[place] = word
        #expect(halves(words, kind).hasNonFinite, "\(kind) \(bad)")
      }
    }
  }

  private func halves(_ words: [UInt16], _ kind: Weight.Kind) -> Weight {
    let memory = Weight.Memory(bytes: words.count * 2)
    // Safe: the memory was made for these bytes.
    unsafe words.withUnsafeBytes { bytes in
      if let base = bytes.baseAddress {
        unsafe memory.pointer.copyMemory(from: base, byteCount: bytes.count)
      }
    }
    return Weight(shape: [words.count], kind: kind, source: .memory(memory))
  }

  @Test("half precision is widened exactly: normals, denormals, zeros, infinities")
  func halfPrecision() {
    let halves = (0...UInt16.max).filter { !Float16(bitPattern: $0).isNaN }
    let workspace = Workspace(threadCount: 1)
    let widened = self.halves(halves, .float16).tensor(workspace).values
    #expect(zip(widened, halves).allSatisfy { $0 == Float(Float16(bitPattern: $1)) })
    #expect(widened.count == halves.count)
  }
}
