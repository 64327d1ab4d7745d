#include "CLibPNG.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

// What changes after setjmp and is needed after longjmp lives in the caller of the function that calls setjmp: in that
// function's own locals it would be unspecified.

struct source {
  const uint8_t *bytes;
  size_t count, position;
};

struct sink {
  uint8_t *bytes;
  size_t count, capacity;
};

// The message until libpng has a better one: it says nothing when it cannot even begin.
static const char out_of_memory[] = "out of memory";

static void copy_message(char *destination, const char *text) {
  strncpy(destination, text, CLIBPNG_MESSAGE_SIZE - 1);
  destination[CLIBPNG_MESSAGE_SIZE - 1] = 0;
}

// The error pointer is the message buffer for both directions.
static void fail(png_structp png, png_const_charp text) {
  copy_message(png_get_error_ptr(png), text);
  png_longjmp(png, 1);
}

// Warnings go nowhere: libpng would print them.
static void ignore(png_structp png, png_const_charp text) {
  (void)png;
  (void)text;
}

static void read_bytes(png_structp png, png_bytep destination, size_t count) {
  struct source *source = png_get_io_ptr(png);
  if (count > source->count - source->position) png_error(png, "the file is truncated");
  memcpy(destination, source->bytes + source->position, count);
  source->position += count;
}

static void write_bytes(png_structp png, png_bytep bytes, size_t count) {
  struct sink *sink = png_get_io_ptr(png);
  if (count > sink->capacity - sink->count) {
    size_t capacity = 2 * sink->capacity + count;
    uint8_t *grown = realloc(sink->bytes, capacity);
    if (grown == NULL) png_error(png, "out of memory");
    sink->bytes = grown;
    sink->capacity = capacity;
  }
  memcpy(sink->bytes + sink->count, bytes, count);
  sink->count += count;
}

static void flush(png_structp png) { (void)png; }

int clibpng_decode(
    const uint8_t *bytes, size_t count, uint8_t *pixels, size_t row_size, uint32_t height, char *message) {
  struct source source = {bytes, count, 0};
  copy_message(message, out_of_memory);
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, message, fail, ignore);
  png_infop info = png_create_info_struct(png);
  if (info == NULL || setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &info, NULL);
    return -1;
  }
  png_set_read_fn(png, &source, read_bytes);
  // The caller's own limits have been applied already.
  png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_read_info(png, info);
  png_set_packing(png);
  int passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  if (png_get_rowbytes(png, info) != row_size || png_get_image_height(png, info) != height) {
    png_error(png, "the header is inconsistent");
  }
  for (int pass = 0; pass < passes; pass++) {
    for (uint32_t y = 0; y < height; y++) png_read_row(png, pixels + y * row_size, NULL);
  }
  png_destroy_read_struct(&png, &info, NULL);
  return 0;
}

// Returns 0 or -1; the bytes in `sink` are the caller's either way.
static int encode(const uint8_t *pixels, uint32_t width, uint32_t height, struct sink *sink, char *message) {
  copy_message(message, out_of_memory);
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, message, fail, ignore);
  png_infop info = png_create_info_struct(png);
  if (info == NULL || setjmp(png_jmpbuf(png))) {
    png_destroy_write_struct(&png, &info);
    return -1;
  }
  png_set_write_fn(png, sink, write_bytes, flush);
  png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_set_IHDR(
      png, info, width, height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
      PNG_FILTER_TYPE_DEFAULT);
  // All spelled out: a library's defaults may change between releases, and equal pictures should give equal files.
  png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_ALL_FILTERS);
  png_set_compression_level(png, 6);
  png_set_compression_mem_level(png, 8);
  png_set_compression_strategy(png, 1);  // Z_FILTERED
  png_set_compression_window_bits(png, 15);
  png_set_compression_buffer_size(png, 1 << 16);
  png_write_info(png, info);
  for (uint32_t y = 0; y < height; y++) png_write_row(png, pixels + (size_t)y * 3 * width);
  png_write_end(png, NULL);
  png_destroy_write_struct(&png, &info);
  return 0;
}

int clibpng_encode(
    const uint8_t *pixels, uint32_t width, uint32_t height, uint8_t **encoded, size_t *encoded_count, char *message) {
  struct sink sink = {NULL, 0, 0};
  if (encode(pixels, width, height, &sink, message) != 0) {
    free(sink.bytes);
    return -1;
  }
  *encoded = sink.bytes;
  *encoded_count = sink.count;
  return 0;
}

void clibpng_free(uint8_t *encoded) { free(encoded); }

int clibpng_inflate(
    const uint8_t *bytes, size_t count, uint8_t *destination, size_t capacity, size_t *inflated_count) {
  z_stream stream = {0};
  if (count > UINT32_MAX || capacity > UINT32_MAX || inflateInit(&stream) != Z_OK) return -1;
  // zlib reads through this pointer only; its type lacks the const.
  stream.next_in = (Bytef *)bytes;
  stream.avail_in = (uInt)count;
  stream.next_out = destination;
  stream.avail_out = (uInt)capacity;
  int status = inflate(&stream, Z_FINISH);
  *inflated_count = capacity - stream.avail_out;
  int is_too_large = status != Z_STREAM_END && stream.avail_out == 0;
  inflateEnd(&stream);
  // Z_BUF_ERROR: the stream is cut short. What there is of it counts.
  return (status == Z_STREAM_END || status == Z_BUF_ERROR) && !is_too_large ? 0 : -1;
}
