/*
 * A small baseline JPEG writer (ITU-T T.81): 4:4:4 or 4:2:0, one quantiser table and one pair of Huffman tables for all
 * components (those that annex K gives for luminance). Correct and slow.
 */
#ifndef FAULTY_JPEG_H
#define FAULTY_JPEG_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
  uint8_t *out;
  size_t len, capacity;
  uint32_t bits; /* not written yet, in the lowest `bit_count` bits */
  int bit_count;
  bool full; /* something did not fit */
  uint8_t quantiser[64];
  float basis[8][8];
  uint16_t dc_code[12], ac_code[256];
  uint8_t dc_size[12], ac_size[256];
} Jpeg;

/* Rows of 32-bit pixels: B, G, R, unused in memory. */
typedef struct {
  const uint8_t *pixels;
  size_t stride;
  uint32_t width, height;
} JpegImage;

/* Table K.1. */
static const uint8_t JPEG_QUANTISER[64] = {
    16, 11, 10, 16, 24,  40,  51,  61,  12, 12, 14, 19, 26,  58,  60,  55,  14, 13, 16, 24, 40,  57,
    69, 56, 14, 17, 22,  29,  51,  87,  80, 62, 18, 22, 37,  56,  68,  109, 103, 77, 24, 35, 55,  64,
    81, 104, 113, 92, 49, 64, 78,  87,  103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99};

static const uint8_t JPEG_ZIGZAG[64] = {0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,
                                        12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6,  7,  14, 21, 28,
                                        35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
                                        58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

/* Tables K.3 and K.5: how many codes have 1 to 16 bits, and what they mean. */
static const uint8_t JPEG_DC_COUNTS[16] = {0, 1, 5, 1, 1, 1, 1, 1, 1};
static const uint8_t JPEG_DC_VALUES[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
static const uint8_t JPEG_AC_COUNTS[16] = {0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d};
static const uint8_t JPEG_AC_VALUES[162] = {
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07, 0x22, 0x71,
    0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0, 0x24, 0x33, 0x62, 0x72,
    0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a, 0x34, 0x35, 0x36, 0x37,
    0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59,
    0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x83,
    0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3,
    0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3,
    0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2,
    0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa};

static void jpeg_codes(const uint8_t counts[16], const uint8_t *values, uint16_t *codes, uint8_t *sizes) {
  uint16_t code = 0;
  for (int size = 1; size <= 16; size++, code = (uint16_t)(code << 1)) {
    for (int i = 0; i < counts[size - 1]; i++, values++, code++) {
      codes[*values] = code;
      sizes[*values] = (uint8_t)size;
    }
  }
}

/* Prepares tables for a quality of 1 to 100, on the scale of the Independent JPEG Group. */
static void jpeg_prepare(Jpeg *jpeg, uint32_t quality) {
  uint32_t scale = quality < 50 ? 5000 / quality : 200 - 2 * quality;
  for (int i = 0; i < 64; i++) {
    uint32_t step = (JPEG_QUANTISER[i] * scale + 50) / 100;
    jpeg->quantiser[i] = (uint8_t)(step < 1 ? 1 : step > 255 ? 255 : step);
  }
  for (int u = 0; u < 8; u++) {
    for (int x = 0; x < 8; x++) {
      jpeg->basis[u][x] = (u == 0 ? 0.35355339f : 0.5f) * cosf((float)((2 * x + 1) * u) * 3.14159265f / 16.0f);
    }
  }
  jpeg_codes(JPEG_DC_COUNTS, JPEG_DC_VALUES, jpeg->dc_code, jpeg->dc_size);
  jpeg_codes(JPEG_AC_COUNTS, JPEG_AC_VALUES, jpeg->ac_code, jpeg->ac_size);
}

static void jpeg_byte(Jpeg *jpeg, int value) {
  if (jpeg->len < jpeg->capacity) {
    jpeg->out[jpeg->len++] = (uint8_t)value;
  } else {
    jpeg->full = true;
  }
}

static void jpeg_word(Jpeg *jpeg, uint32_t value) {
  jpeg_byte(jpeg, (int)(value >> 8));
  jpeg_byte(jpeg, (int)(value & 0xff));
}

static void jpeg_bits(Jpeg *jpeg, uint32_t value, int count) {
  jpeg->bits = (jpeg->bits << count) | (value & ((1u << count) - 1));
  jpeg->bit_count += count;
  while (jpeg->bit_count >= 8) {
    jpeg->bit_count -= 8;
    int byte = (int)(jpeg->bits >> jpeg->bit_count) & 0xff;
    jpeg_byte(jpeg, byte);
    if (byte == 0xff) {
      jpeg_byte(jpeg, 0); /* a marker is never mistaken for data */
    }
  }
}

static void jpeg_table(Jpeg *jpeg, int class_and_id, const uint8_t counts[16], const uint8_t *values, size_t count) {
  jpeg_word(jpeg, 0xffc4);
  jpeg_word(jpeg, (uint32_t)(19 + count));
  jpeg_byte(jpeg, class_and_id);
  for (int i = 0; i < 16; i++) {
    jpeg_byte(jpeg, counts[i]);
  }
  for (size_t i = 0; i < count; i++) {
    jpeg_byte(jpeg, values[i]);
  }
}

static void jpeg_header(Jpeg *jpeg, const JpegImage *image, int sampling) {
  jpeg_word(jpeg, 0xffd8);
  static const uint8_t jfif[] = {'J', 'F', 'I', 'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0};
  jpeg_word(jpeg, 0xffe0);
  jpeg_word(jpeg, 16);
  for (size_t i = 0; i < sizeof jfif; i++) {
    jpeg_byte(jpeg, jfif[i]);
  }
  jpeg_word(jpeg, 0xffdb);
  jpeg_word(jpeg, 67);
  jpeg_byte(jpeg, 0);
  for (int i = 0; i < 64; i++) {
    jpeg_byte(jpeg, jpeg->quantiser[JPEG_ZIGZAG[i]]);
  }
  jpeg_word(jpeg, 0xffc0);
  jpeg_word(jpeg, 17);
  jpeg_byte(jpeg, 8);
  jpeg_word(jpeg, image->height);
  jpeg_word(jpeg, image->width);
  jpeg_byte(jpeg, 3);
  for (int component = 1; component <= 3; component++) {
    jpeg_byte(jpeg, component);
    jpeg_byte(jpeg, component == 1 ? sampling << 4 | sampling : 0x11);
    jpeg_byte(jpeg, 0);
  }
  jpeg_table(jpeg, 0x00, JPEG_DC_COUNTS, JPEG_DC_VALUES, sizeof JPEG_DC_VALUES);
  jpeg_table(jpeg, 0x10, JPEG_AC_COUNTS, JPEG_AC_VALUES, sizeof JPEG_AC_VALUES);
  jpeg_word(jpeg, 0xffda);
  jpeg_word(jpeg, 12);
  jpeg_byte(jpeg, 3);
  for (int component = 1; component <= 3; component++) {
    jpeg_byte(jpeg, component);
    jpeg_byte(jpeg, 0);
  }
  jpeg_byte(jpeg, 0);
  jpeg_byte(jpeg, 63);
  jpeg_byte(jpeg, 0);
}

/* The bits of a number, as T.81 F.1.2.1 writes them. */
static int jpeg_size(int value) {
  int size = 0;
  for (unsigned rest = (unsigned)(value < 0 ? -value : value); rest != 0; rest >>= 1) {
    size++;
  }
  return size;
}

static void jpeg_value(Jpeg *jpeg, int value, int size) {
  jpeg_bits(jpeg, (uint32_t)(value < 0 ? value - 1 : value), size);
}

/* Transforms, quantises and codes 8 x 8 samples around 0. */
static void jpeg_block(Jpeg *jpeg, const float samples[8][8], int *last_dc) {
  float rows[8][8];
  int levels[64];
  for (int y = 0; y < 8; y++) {
    for (int u = 0; u < 8; u++) {
      float sum = 0;
      for (int x = 0; x < 8; x++) {
        sum += samples[y][x] * jpeg->basis[u][x];
      }
      rows[y][u] = sum;
    }
  }
  for (int v = 0; v < 8; v++) {
    for (int u = 0; u < 8; u++) {
      float sum = 0;
      for (int y = 0; y < 8; y++) {
        sum += rows[y][u] * jpeg->basis[v][y];
      }
      int level = (int)lroundf(sum / jpeg->quantiser[v * 8 + u]);
      levels[v * 8 + u] = level < -1023 ? -1023 : level > 1023 ? 1023 : level;
    }
  }
  int difference = levels[0] - *last_dc, size = jpeg_size(difference), zeros = 0;
  *last_dc = levels[0];
  jpeg_bits(jpeg, jpeg->dc_code[size], jpeg->dc_size[size]);
  jpeg_value(jpeg, difference, size);
  for (int i = 1; i < 64; i++) {
    int level = levels[JPEG_ZIGZAG[i]];
    if (level == 0) {
      zeros++;
      continue;
    }
    for (; zeros > 15; zeros -= 16) {
      jpeg_bits(jpeg, jpeg->ac_code[0xf0], jpeg->ac_size[0xf0]);
    }
    size = jpeg_size(level);
    jpeg_bits(jpeg, jpeg->ac_code[zeros << 4 | size], jpeg->ac_size[zeros << 4 | size]);
    jpeg_value(jpeg, level, size);
    zeros = 0;
  }
  if (zeros > 0) {
    jpeg_bits(jpeg, jpeg->ac_code[0], jpeg->ac_size[0]);
  }
}

/* Takes a unit of 8 or 16 pixels each way apart; what lies outside repeats the last row and column. */
static void jpeg_unit(const JpegImage *image, uint32_t left, uint32_t top, int edge, float planes[3][16][16]) {
  for (int y = 0; y < edge; y++) {
    uint32_t row = top + (uint32_t)y < image->height ? top + (uint32_t)y : image->height - 1;
    for (int x = 0; x < edge; x++) {
      uint32_t column = left + (uint32_t)x < image->width ? left + (uint32_t)x : image->width - 1;
      const uint8_t *pixel = image->pixels + row * image->stride + (size_t)column * 4;
      float b = pixel[0], g = pixel[1], r = pixel[2];
      planes[0][y][x] = 0.299f * r + 0.587f * g + 0.114f * b - 128.0f;
      planes[1][y][x] = -0.168736f * r - 0.331264f * g + 0.5f * b;
      planes[2][y][x] = 0.5f * r - 0.418688f * g - 0.081312f * b;
    }
  }
}

/* Writes the image to `out`; answers its length, or 0 when it does not fit. `half` is 4:2:0, else 4:4:4. */
static size_t jpeg_write(Jpeg *jpeg, const JpegImage *image, bool half, uint8_t *out, size_t capacity) {
  jpeg->out = out;
  jpeg->capacity = capacity;
  jpeg->len = 0;
  jpeg->bits = 0;
  jpeg->bit_count = 0;
  jpeg->full = false;
  int sampling = half ? 2 : 1, last_dc[3] = {0, 0, 0};
  uint32_t edge = 8 * (uint32_t)sampling;
  float planes[3][16][16], block[8][8];
  jpeg_header(jpeg, image, sampling);
  for (uint32_t top = 0; top < image->height; top += edge) {
    for (uint32_t left = 0; left < image->width; left += edge) {
      jpeg_unit(image, left, top, (int)edge, planes);
      for (int part = 0; part < sampling * sampling; part++) {
        int y0 = part / sampling * 8, x0 = part % sampling * 8;
        for (int y = 0; y < 8; y++) {
          memcpy(block[y], &planes[0][y0 + y][x0], sizeof block[y]);
        }
        jpeg_block(jpeg, (const float(*)[8])block, &last_dc[0]);
      }
      for (int component = 1; component < 3; component++) {
        for (int y = 0; y < 8; y++) {
          for (int x = 0; x < 8; x++) {
            const float(*plane)[16] = (const float(*)[16])planes[component];
            block[y][x] = half ? (plane[2 * y][2 * x] + plane[2 * y][2 * x + 1] + plane[2 * y + 1][2 * x] +
                                  plane[2 * y + 1][2 * x + 1]) /
                                     4
                               : plane[y][x];
          }
        }
        jpeg_block(jpeg, (const float(*)[8])block, &last_dc[component]);
      }
    }
  }
  jpeg_bits(jpeg, 0x7f, 7);
  jpeg_word(jpeg, 0xffd9);
  return jpeg->full ? 0 : jpeg->len;
}

#endif
