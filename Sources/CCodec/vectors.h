// Byte vectors of GC_WIDTH bytes, and the few operations on them that differ between machines.
// Included once for each machine level, with GC_WIDTH (16, 32 or 64) and GC_NAME set.
#undef BYTES
#undef WORDS
#define BYTES GC_NAME(bytes)
#define WORDS GC_NAME(words)
typedef uint8_t BYTES __attribute__((vector_size(GC_WIDTH), aligned(1), may_alias));
typedef uint64_t WORDS __attribute__((vector_size(GC_WIDTH), aligned(1), may_alias));

#define GC_INLINE static inline __attribute__((always_inline))
#define GC_EACH4(f, i) f(i), f((i) + 1), f((i) + 2), f((i) + 3)
#define GC_EACH16(f, i) \
  GC_EACH4(f, i), GC_EACH4(f, (i) + 4), GC_EACH4(f, (i) + 8), GC_EACH4(f, (i) + 12)
#define GC_EACH64(f) GC_EACH16(f, 0), GC_EACH16(f, 16), GC_EACH16(f, 32), GC_EACH16(f, 48)

// Swaps the bits outside `mask` of v[i] with those inside it of v[i + shift].
#define GC_SWAP(i, shift, mask)                                                       \
  do {                                                                                \
    WORDS low = (WORDS)v[i], high = (WORDS)v[(i) + (shift)];                          \
    WORDS swap = ((low >> (shift)) ^ high) & (mask);                                  \
    v[(i) + (shift)] = (BYTES)(high ^ swap);                                          \
    v[i] = (BYTES)(low ^ (swap << (shift)));                                          \
  } while (0)
#define GC_STAGE(shift, mask, a, b, c, d) \
  GC_SWAP(a, shift, mask);                \
  GC_SWAP(b, shift, mask);                \
  GC_SWAP(c, shift, mask);                \
  GC_SWAP(d, shift, mask);

// Eight rows of bytes to eight rows of bits and back: bit i of byte c of v[j] changes places with
// bit j of byte c of v[i] (Warren, Hacker's Delight, section 7-3).
GC_INLINE void GC_NAME(transpose)(BYTES v[8]) {
  GC_STAGE(4, 0x0F0F0F0F0F0F0F0Fu, 0, 1, 2, 3)
  GC_STAGE(2, 0x3333333333333333u, 0, 1, 4, 5)
  GC_STAGE(1, 0x5555555555555555u, 0, 2, 4, 6)
}

// Sum of the bytes up to and with each one, modulo 256: first inside every eight bytes, then the
// sums of the eights before.
GC_INLINE void GC_NAME(prefix)(BYTES *values) {
  BYTES v = *values;
  v += (BYTES)((WORDS)v << 8);
  v += (BYTES)((WORDS)v << 16);
  v += (BYTES)((WORDS)v << 32);
  WORDS total = (WORDS)v >> 56, zero = {0};
#if GC_WIDTH == 64
  WORDS s = __builtin_shufflevector(zero, total, 0, 8, 9, 10, 11, 12, 13, 14);
  s += __builtin_shufflevector(zero, s, 0, 8, 9, 10, 11, 12, 13, 14);
  s += __builtin_shufflevector(zero, s, 0, 0, 8, 9, 10, 11, 12, 13);
  s += __builtin_shufflevector(zero, s, 0, 0, 0, 0, 8, 9, 10, 11);
#define GC_LOW(i) ((i) / 8 * 8)
  v += __builtin_shufflevector((BYTES)s, (BYTES)s, GC_EACH64(GC_LOW));
#elif GC_WIDTH == 32
  WORDS s = __builtin_shufflevector(zero, total, 0, 4, 5, 6);
  s += __builtin_shufflevector(zero, s, 0, 4, 5, 6);
  s += __builtin_shufflevector(zero, total, 0, 0, 0, 4);
  v += __builtin_shufflevector((BYTES)s, (BYTES)s, GC_EACH16(GC_LOW, 0), GC_EACH16(GC_LOW, 16));
#else
  uint64_t low = ((WORDS)v)[0] >> 56;
  WORDS s = {0, low * 0x0101010101010101u};
  (void)total, (void)zero;
  v += (BYTES)s;
#endif
  *values = v;
}
#ifndef GC_LOW
#define GC_LOW(i) ((i) / 8 * 8)
#endif

// Output byte i of piece k of interleaved pixels: first red and green to their places, then blue.
#define GC_AT(n, k, i) ((n) * (k) + (i))
#define GC_RED_GREEN(n, k, i) \
  (GC_AT(n, k, i) % 3 == 2 ? -1 : GC_AT(n, k, i) % 3 * (n) + GC_AT(n, k, i) / 3)
#define GC_BLUE(n, k, i) (GC_AT(n, k, i) % 3 == 2 ? (n) + GC_AT(n, k, i) / 3 : (i))

#if GC_WIDTH == 64
#define GC_RG0(i) GC_RED_GREEN(64, 0, i)
#define GC_RG1(i) GC_RED_GREEN(64, 1, i)
#define GC_RG2(i) GC_RED_GREEN(64, 2, i)
#define GC_B0(i) GC_BLUE(64, 0, i)
#define GC_B1(i) GC_BLUE(64, 1, i)
#define GC_B2(i) GC_BLUE(64, 2, i)
#define GC_PIECE(k)                                                                       \
  *(BYTES *)(out + 64 * k) = __builtin_shufflevector(                                     \
      __builtin_shufflevector(r, g, GC_EACH64(GC_RG##k)), b, GC_EACH64(GC_B##k))
GC_INLINE void GC_NAME(interleave)(uint8_t *out, BYTES *rp, BYTES *gp, BYTES *bp) {
  BYTES r = *rp, g = *gp, b = *bp;
  GC_PIECE(0);
  GC_PIECE(1);
  GC_PIECE(2);
}
#undef GC_PIECE
#else
typedef uint8_t GC_NAME(sixteen) __attribute__((vector_size(16), aligned(1), may_alias));
#define GC_S0(i) GC_RED_GREEN(16, 0, i)
#define GC_S1(i) GC_RED_GREEN(16, 1, i)
#define GC_S2(i) GC_RED_GREEN(16, 2, i)
#define GC_T0(i) GC_BLUE(16, 0, i)
#define GC_T1(i) GC_BLUE(16, 1, i)
#define GC_T2(i) GC_BLUE(16, 2, i)
#if defined(GC_NO_BYTE_SHUFFLE)
// SSE2 has no byte shuffle: four pixels to 16 bytes, their unused fourths squeezed out by shifts.
GC_INLINE void GC_NAME(interleave)(uint8_t *out, BYTES *rp, BYTES *gp, BYTES *bp) {
  __m128i r = (__m128i)*rp, g = (__m128i)*gp, b = (__m128i)*bp, zero = _mm_setzero_si128();
  __m128i rg[2] = {_mm_unpacklo_epi8(r, g), _mm_unpackhi_epi8(r, g)};
  __m128i b0[2] = {_mm_unpacklo_epi8(b, zero), _mm_unpackhi_epi8(b, zero)};
  __m128i low = _mm_set1_epi64x(0xFFFFFF), high = _mm_set1_epi64x(0xFFFFFF000000);
  __m128i q[4];
  for (int i = 0; i < 4; i++) {
    __m128i x = i & 1 ? _mm_unpackhi_epi16(rg[i >> 1], b0[i >> 1])
                      : _mm_unpacklo_epi16(rg[i >> 1], b0[i >> 1]);
    x = _mm_or_si128(_mm_and_si128(x, low), _mm_and_si128(_mm_srli_epi64(x, 8), high));
    q[i] = _mm_or_si128(_mm_move_epi64(x), _mm_slli_si128(_mm_srli_si128(x, 8), 6));
  }
  _mm_storeu_si128((__m128i *)out, _mm_or_si128(q[0], _mm_slli_si128(q[1], 12)));
  _mm_storeu_si128((__m128i *)(out + 16),
                   _mm_or_si128(_mm_srli_si128(q[1], 4), _mm_slli_si128(q[2], 8)));
  _mm_storeu_si128((__m128i *)(out + 32),
                   _mm_or_si128(_mm_srli_si128(q[2], 8), _mm_slli_si128(q[3], 4)));
}
#else
#define GC_PIECE(k)                                                                        \
  *(GC_NAME(sixteen) *)(out + 3 * part + 16 * k) = __builtin_shufflevector(                \
      __builtin_shufflevector(r, g, GC_EACH16(GC_S##k, 0)), b, GC_EACH16(GC_T##k, 0))
GC_INLINE void GC_NAME(interleave)(uint8_t *out, BYTES *rp, BYTES *gp, BYTES *bp) {
  for (int part = 0; part < GC_WIDTH; part += 16) {
    GC_NAME(sixteen) r = *(GC_NAME(sixteen) *)((uint8_t *)rp + part);
    GC_NAME(sixteen) g = *(GC_NAME(sixteen) *)((uint8_t *)gp + part);
    GC_NAME(sixteen) b = *(GC_NAME(sixteen) *)((uint8_t *)bp + part);
    GC_PIECE(0);
    GC_PIECE(1);
    GC_PIECE(2);
  }
}
#undef GC_PIECE
#endif
#endif
