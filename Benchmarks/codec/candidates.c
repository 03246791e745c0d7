// The candidates: ours, its parts, what it replaced, and what others use.
#include <lz4.h>
#include <png.h>
#include <string.h>
#include <zstd.h>
#include "bench.h"
#include "../../Sources/CCodec/kernels.h"

static uint8_t *spare(long bytes) {  // one piece of memory that grows; the benchmark has one thread
  static uint8_t *memory;
  static long size;
  if (bytes > size) memory = realloc(memory, (size_t)(size = bytes));
  return memory;
}

static long lz4(const uint8_t *in, long bytes, uint8_t *out) {
  return LZ4_compress_default((const char *)in, (char *)out, (int)bytes, LZ4_compressBound((int)bytes));
}

static int unlz4(const uint8_t *in, long length, long bytes, uint8_t *out) {
  return LZ4_decompress_safe((const char *)in, (char *)out, (int)length, (int)bytes) == bytes;
}

static long copy_encode(const picture *p, uint8_t *room) { return memcpy(room, p->rgb, (size_t)p->bytes), p->bytes; }
static int copy_decode(const uint8_t *in, long length, const picture *p, uint8_t *rgb) {
  return length == p->bytes && memcpy(rgb, in, (size_t)length);
}

static long raw_lz4_encode(const picture *p, uint8_t *room) { return lz4(p->rgb, p->bytes, room); }
static int raw_lz4_decode(const uint8_t *in, long length, const picture *p, uint8_t *rgb) {
  return unlz4(in, length, p->bytes, rgb);
}

// Codec 1 of the packs: three planes G, R-G, B-G, every row but the first minus the row above.
static const uint8_t *planar_delta(const picture *p) {
  long n = p->width * p->height, w = p->width;
  uint8_t *planes = spare(3 * n);
  for (long i = 0; i < n; i++) {
    uint8_t g = p->rgb[3 * i + 1];
    planes[i] = g;
    planes[n + i] = (uint8_t)(p->rgb[3 * i] - g);
    planes[2 * n + i] = (uint8_t)(p->rgb[3 * i + 2] - g);
  }
  for (int c = 0; c < 3; c++)
    for (long y = p->height - 1; y > 0; y--)
      for (long x = 0; x < w; x++) planes[c * n + y * w + x] -= planes[c * n + (y - 1) * w + x];
  return planes;
}

static void undo_planar_delta(uint8_t *planes, const picture *p, uint8_t *rgb) {
  long n = p->width * p->height, w = p->width;
  for (int c = 0; c < 3; c++)
    for (long i = w; i < n; i++) planes[c * n + i] += planes[c * n + i - w];
  for (long i = 0; i < n; i++) {
    uint8_t g = planes[i];
    rgb[3 * i] = (uint8_t)(planes[n + i] + g);
    rgb[3 * i + 1] = g;
    rgb[3 * i + 2] = (uint8_t)(planes[2 * n + i] + g);
  }
}

static long delta_lz4_encode(const picture *p, uint8_t *room) { return lz4(planar_delta(p), p->bytes, room); }
static int delta_lz4_decode(const uint8_t *in, long length, const picture *p, uint8_t *rgb) {
  uint8_t *planes = spare(p->bytes);
  if (!unlz4(in, length, p->bytes, planes)) return 0;
  undo_planar_delta(planes, p, rgb);
  return 1;
}

static long delta_zstd_encode(const picture *p, uint8_t *room) {
  return (long)ZSTD_compress(room, 2 * (size_t)p->bytes + 65536, planar_delta(p), (size_t)p->bytes, 1);
}
static int delta_zstd_decode(const uint8_t *in, long length, const picture *p, uint8_t *rgb) {
  uint8_t *planes = spare(p->bytes);
  if (ZSTD_decompress(planes, (size_t)p->bytes, in, (size_t)length) != (size_t)p->bytes) return 0;
  undo_planar_delta(planes, p, rgb);
  return 1;
}

static long ours(const picture *p, int effort, uint8_t *room) {
  return gc_encode_image(p->rgb, p->width, p->height, effort, room);
}
static long ours_fast_encode(const picture *p, uint8_t *room) { return ours(p, 0, room); }
static long ours_encode(const picture *p, uint8_t *room) { return ours(p, 4, room); }
static long ours_slow_encode(const picture *p, uint8_t *room) { return ours(p, 9, room); }
static int ours_decode(const uint8_t *in, long length, const picture *p, uint8_t *rgb) {
  return gc_decode_image(in, length, p->width, p->height, 0, gc_band_count(p->width, p->height), 0, rgb) == GC_DONE;
}

// Our bit planes with zstd-1 behind them: the words stay, each band is packed again.
static long planes_zstd_encode(const picture *p, uint8_t *room) {
  long bands = gc_band_count(p->width, p->height), bound = gc_encode_bound(p->width, p->height);
  uint8_t *payload = malloc((size_t)bound), *planes = malloc(GC_BAND_BYTES);
  gc_encode_image(p->rgb, p->width, p->height, 0, payload);
  const uint8_t *in = payload + 4 * bands;
  long at = 4 * bands;
  for (long band = 0; band < bands; band++) {
    uint32_t word;
    memcpy(&word, payload + 4 * band, 4);
    long rows = gc_band_rows(p->width), top = band * rows;
    if (p->height - top < rows) rows = p->height - top;
    long bytes = gc_plane_bytes(rows, p->width), stored = word & GC_LENGTH_MASK;
    if (word & GC_STORED) memcpy(planes, in, (size_t)bytes);
    else unlz4(in, stored, bytes, planes);
    in += stored;
    long size = (long)ZSTD_compress(room + at, (size_t)bytes + 65536, planes, (size_t)bytes, 1);
    word = (word & (GC_VERTICAL | GC_HORIZONTAL | GC_PHASES)) | (uint32_t)size;
    memcpy(room + 4 * band, &word, 4);
    at += size;
  }
  free(payload);
  free(planes);
  return at;
}
static int planes_zstd_decode(const uint8_t *in, long length, const picture *p, uint8_t *rgb) {
  uint8_t *planes = spare(2 * (GC_BAND_BYTES + GC_SLACK)), *joined = planes + GC_BAND_BYTES + GC_SLACK;
  long bands = gc_band_count(p->width, p->height), at = 4 * bands;
  for (long band = 0; band < bands; band++) {
    uint32_t word;
    memcpy(&word, in + 4 * band, 4);
    long rows = gc_band_rows(p->width), top = band * rows;
    if (p->height - top < rows) rows = p->height - top;
    size_t bytes = (size_t)gc_plane_bytes(rows, p->width);
    if (ZSTD_decompress(planes, bytes, in + at, word & GC_LENGTH_MASK) != bytes) return 0;
    at += word & GC_LENGTH_MASK;
    if (word & GC_PHASES) gc_join_phases(planes, gc_groups(rows), p->width, joined);
    gc_band whole = {word & GC_PHASES ? joined : planes, p->width, rows, rgb + 3 * top * p->width, 0};
    gc_restore_band(&whole, (int)(word & (GC_VERTICAL | GC_HORIZONTAL)));
  }
  return at == length;
}

typedef struct { uint8_t *bytes; long size; const uint8_t *end; } stream;
static void append(png_structp png, png_bytep bytes, png_size_t count) {
  stream *s = png_get_io_ptr(png);
  memcpy(s->bytes + s->size, bytes, count);
  s->size += (long)count;
}
static void take(png_structp png, png_bytep bytes, png_size_t count) {
  stream *s = png_get_io_ptr(png);
  if ((long)count > s->end - s->bytes) png_error(png, "short");
  memcpy(bytes, s->bytes, count);
  s->bytes += count;
}

// libpng with its default filters (all five, chosen row by row) at zlib level 6.
static long png_encode(const picture *p, uint8_t *room) {
  stream s = {room, 0, NULL};
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
  png_infop info = png_create_info_struct(png);
  if (setjmp(png_jmpbuf(png))) return 0;
  png_set_write_fn(png, &s, append, NULL);
  png_set_compression_level(png, 6);
  png_set_IHDR(png, info, (png_uint_32)p->width, (png_uint_32)p->height, 8, PNG_COLOR_TYPE_RGB, 0, 0, 0);
  png_write_info(png, info);
  for (long y = 0; y < p->height; y++) png_write_row(png, p->rgb + 3 * y * p->width);
  png_write_end(png, NULL);
  png_destroy_write_struct(&png, &info);
  return s.size;
}
static int png_decode(const uint8_t *in, long length, const picture *p, uint8_t *rgb) {
  stream s = {(uint8_t *)in, 0, in + length};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
  png_infop info = png_create_info_struct(png);
  if (setjmp(png_jmpbuf(png))) return 0;
  png_set_read_fn(png, &s, take);
  png_read_info(png, info);
  for (long y = 0; y < p->height; y++) png_read_row(png, rgb + 3 * y * p->width, NULL);
  png_destroy_read_struct(&png, &info, NULL);
  return 1;
}

const candidate candidates[] = {
    {"pixels as they are (memcpy)", copy_encode, copy_decode, GC_AVX512},
    {"LZ4", raw_lz4_encode, raw_lz4_decode, GC_AVX512},
    {"planar delta, LZ4 (codec 1)", delta_lz4_encode, delta_lz4_decode, GC_AVX512},
    {"planar delta, zstd-1", delta_zstd_encode, delta_zstd_decode, GC_AVX512},
    {"our bit planes, zstd-1", planes_zstd_encode, planes_zstd_decode, GC_AVX512},
    {"our bit planes, LZ4 fast", ours_fast_encode, ours_decode, GC_AVX512},
    {"our bit planes, LZ4-HC 9", ours_slow_encode, ours_decode, GC_AVX512},
    {"codec 2 (LZ4-HC 4), AVX-512", ours_encode, ours_decode, GC_AVX512},
    {"codec 2, AVX2", ours_encode, ours_decode, GC_AVX2},
    {"codec 2, portable", ours_encode, ours_decode, GC_BASELINE},
    {"PNG level 6 (libpng)", png_encode, png_decode, GC_AVX512},
};
const int candidate_count = sizeof candidates / sizeof candidates[0];
