// Damaged payloads through every decoder, to be built with -fsanitize=address,undefined.
//
//     fuzz SEED ROUNDS
//
// Buffers have exactly the size that the decoders are told, so that one byte read or written outside ends the
// program. Prints how many payloads were decoded and how many refused.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../../Sources/CCodec/include/ccodec.h"

static long below(long count) { return rand() % count; }

static uint8_t *room(long bytes) { return malloc((size_t)(bytes > 0 ? bytes : 1)); }

// How to damage a payload: cut it, change its words, change any byte, or any byte behind the words.
enum { CUT, WORDS, ANYWHERE, BEHIND_WORDS, WAYS };

static int image_round(long round) {
  long width = 1 + below(round % 17 == 0 ? 600 : 90), height = 1 + below(90);
  if (round % 50 == 0) width = 2040 + below(30), height = 1 + below(20);
  long pixels = width * height, words = 4 * gc_band_count(width, height), kind = below(3);
  uint8_t *rgb = room(3 * pixels), *output = room(3 * pixels);
  for (long i = 0; i < 3 * pixels; i++)
    rgb[i] = (uint8_t)(kind == 0 ? rand() : kind == 1 ? i / 3 % width / 2 * 3 + below(2) : 9);
  uint8_t *whole = room(gc_encode_bound(width, height));
  long bytes = gc_encode_image(rgb, width, height, 0, whole);
  int way = (int)below(WAYS);
  if (way == CUT) bytes = below(bytes + 1);
  uint8_t *payload = room(bytes);
  memcpy(payload, whole, (size_t)bytes);
  for (long i = below(20); i >= 0 && way != CUT; i--)
    payload[way == WORDS ? below(words) : below(bytes)] = (uint8_t)rand();
  if (way == BEHIND_WORDS) memcpy(payload, whole, (size_t)words);
  gc_limit_level((int)below(3));
  int answer = gc_decode_image(payload, bytes, width, height, 0, gc_band_count(width, height), (int)below(2), output);
  free(rgb), free(output), free(whole), free(payload);
  return answer == GC_DONE;
}

static int mask_round(void) {
  long pixels = 1 + below(3000), bytes = below(200);
  uint8_t *runs = room(bytes), *mask = room(pixels), *bits = room((pixels + 7) / 8);
  uint16_t *labels = calloc((size_t)pixels, sizeof *labels);
  for (long i = 0; i < bytes; i++) runs[i] = (uint8_t)(below(3) ? below(40) : rand());
  for (long i = 0; i < (pixels + 7) / 8; i++) bits[i] = (uint8_t)rand();
  int answer = gc_paint_runs(runs, bytes, pixels, 7, labels) | gc_fill_runs(runs, bytes, pixels, mask);
  gc_paint_bits(bits, pixels, 9, labels);
  gc_fill_bits(bits, pixels, mask);
  free(runs), free(mask), free(bits), free(labels);
  return answer == GC_DONE;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  srand((unsigned)atoi(argv[1]));
  long rounds = atol(argv[2]), decoded = 0;
  for (long round = 0; round < rounds; round++) decoded += image_round(round) + mask_round();
  printf("fuzz: %ld payloads: %ld decoded, %ld refused\n", 2 * rounds, decoded, 2 * rounds - decoded);
  return 0;
}
