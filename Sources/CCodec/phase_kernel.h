// Bands that were drawn at half resolution repeat each row and column. Their bit planes compress far
// better when even and odd rows, and even and odd columns, lie apart; here they come together again.
// Included once for each machine level, behind vectors.h.

#if GC_WIDTH == 64
#define GC_ZIP(i, n) ((i) / 2 + (n) / 2 + (i) % 2 * 64)
#define GC_ZIP_LOW(i) GC_ZIP(i, 0)
#define GC_ZIP_HIGH(i) GC_ZIP(i, 64)
#define GC_ZIP_ALL(f) GC_EACH64(f)
#else
#define GC_ZIP_LOW(i) ((i) / 2 + (i) % 2 * GC_WIDTH)
#define GC_ZIP_HIGH(i) ((i) / 2 + GC_WIDTH / 2 + (i) % 2 * GC_WIDTH)
#if GC_WIDTH == 32
#define GC_ZIP_ALL(f) GC_EACH16(f, 0), GC_EACH16(f, 16)
#else
#define GC_ZIP_ALL(f) GC_EACH16(f, 0)
#endif
#endif

// Bits 0 to 3 of every byte of `x` to its bits 0, 2, 4 and 6.
#define GC_SPREAD(x)                                       \
  do {                                                     \
    x &= 0x0F0F0F0F0F0F0F0Fu;                              \
    x = (x | x << 2) & 0x3333333333333333u;                \
    x = (x | x << 1) & 0x5555555555555555u;                \
  } while (0)

// Bits `shift` to `shift` + 3 of even and odd rows in turn.
GC_INLINE void GC_NAME(weave)(const uint8_t *even, const uint8_t *odd, int shift, BYTES *woven) {
  WORDS a = *(const WORDS *)even >> shift, b = *(const WORDS *)odd >> shift;
  GC_SPREAD(a);
  GC_SPREAD(b);
  *woven = (BYTES)(a | b << 1);
}

GC_INLINE uint8_t GC_NAME(weave_byte)(uint8_t even, uint8_t odd, int shift) {
  uint64_t a = even >> shift, b = odd >> shift;
  GC_SPREAD(a);
  GC_SPREAD(b);
  return (uint8_t)(a | b << 1);
}

// Two groups of one bit plane: `even` and `odd` hold 8 rows each, every second one of 16.
GC_INLINE void GC_NAME(join_group)(const uint8_t *even, const uint8_t *odd, long width, int shift,
                                   uint8_t *out) {
  long half = (width + 1) / 2, x = 0;
  for (; 2 * (x + GC_WIDTH) <= width; x += GC_WIDTH) {
    BYTES a, b;
    GC_NAME(weave)(even + x, odd + x, shift, &a);
    GC_NAME(weave)(even + half + x, odd + half + x, shift, &b);
    *(BYTES *)(out + 2 * x) = __builtin_shufflevector(a, b, GC_ZIP_ALL(GC_ZIP_LOW));
    *(BYTES *)(out + 2 * x + GC_WIDTH) = __builtin_shufflevector(a, b, GC_ZIP_ALL(GC_ZIP_HIGH));
  }
  for (long column = 2 * x; column < width; column++) {
    long place = column % 2 ? half + column / 2 : column / 2;
    out[column] = GC_NAME(weave_byte)(even[place], odd[place], shift);
  }
}

static void GC_NAME(join)(const uint8_t *apart, long groups, long width, uint8_t *planes) {
  for (long group = 0; group < 24 * groups; group += 2) {
    const uint8_t *even = apart + group * width, *odd = even + width;
    GC_NAME(join_group)(even, odd, width, 0, planes + group * width);
    GC_NAME(join_group)(even, odd, width, 4, planes + (group + 1) * width);
  }
}
#undef GC_ZIP_LOW
#undef GC_ZIP_HIGH
#undef GC_ZIP_ALL
