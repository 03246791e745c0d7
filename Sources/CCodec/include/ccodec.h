// Image and mask codecs of the packs, decoding straight into the caller's memory. The payloads are
// described byte by byte in schema/pack/README.md.
//
// Every function reads only the bytes it is given and writes only the output it is given, whatever
// the payload says: each length is checked before it is used, and the loops below run over sizes
// that come from the caller's width and height alone. None starts threads. `long` counts bytes,
// pixels or bands.
#ifndef CCODEC_H
#define CCODEC_H
#include <stdint.h>

// Machine levels. GC_BASELINE is what the compiler assumes of any x86-64, or arm64 with NEON;
// GC_AVX512 needs the byte permutations of VBMI too (Ice Lake, Zen 4 and later).
enum { GC_BASELINE = 0, GC_AVX2 = 1, GC_AVX512 = 2 };
// The level in use: the best that this machine has and `gc_limit_level` allows.
int gc_level(void);
// Allows no level above `most`, for tests and benchmarks of the others; returns the level in use.
int gc_limit_level(int most);

// Answers of the decoders.
enum { GC_DONE = 0, GC_CORRUPT = 1 };

// The widest image that the codec takes; there is no bound on the height but memory.
enum { GC_MAXIMUM_WIDTH = 4096 };

// Bands of an image: each is decoded without the others, so that several cores can share an image.
long gc_band_count(long width, long height);

// The most bytes that `gc_encode_image` writes.
long gc_encode_bound(long width, long height);
// Encodes rgb [height, width, 3]; returns the bytes written, or 0 when there is no memory.
// `effort` is the level of LZ4's slow compressor, 3 to 12, or 0 for its fast one;
// -1 for the fast one behind a single way of differences, without a look at the others.
long gc_encode_image(const uint8_t *rgb, long width, long height, int effort, uint8_t *payload);
// Decodes bands [first, last) into `out`, the whole image: [height, width, 3], or [3, height, width]
// when `planar` is not 0. Other bands of `out` stay untouched; refused payloads leave it undefined.
int gc_decode_image(const uint8_t *payload, long bytes, long width, long height, long first,
                    long last, int planar, uint8_t *out);

// Alternating run lengths, zeros first, as LEB128: writes `value` to the pixels of the runs of ones.
int gc_paint_runs(const uint8_t *runs, long bytes, long pixels, uint16_t value, uint16_t *labels);
// The same as a mask: every pixel is written, 0 or 1.
int gc_fill_runs(const uint8_t *runs, long bytes, long pixels, uint8_t *mask);
// Eight pixels to a byte, lowest bit first; `bits` holds (pixels + 7) / 8 bytes.
void gc_paint_bits(const uint8_t *bits, long pixels, uint16_t value, uint16_t *labels);
void gc_fill_bits(const uint8_t *bits, long pixels, uint8_t *mask);
// Masks as bytes, for blobs that are stored as they are: GC_CORRUPT when one is neither 0 nor 1.
int gc_paint_bytes(const uint8_t *mask, long pixels, uint16_t value, uint16_t *labels);
int gc_fill_bytes(const uint8_t *bytes, long pixels, uint8_t *mask);
#endif
