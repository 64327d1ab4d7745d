// libjpeg behind calls that return: its errors are longjmps, which must never cross a Swift frame.
#ifndef CLIBJPEG_H
#define CLIBJPEG_H

#include <stddef.h>
#include <stdint.h>

/// Size of the buffers that receive an error's text, terminator included.
#define CLIBJPEG_MESSAGE_SIZE 200

/// What a JPEG header says.
typedef struct {
  uint32_t width, height;
  /// 1 grey, 3 colour, 4 CMYK.
  int components;
} clibjpeg_header;

/// Reads a header. Returns 0, or -1 with the reason in `message`.
int clibjpeg_read_header(
    const uint8_t *_Nonnull bytes, size_t count, clibjpeg_header *_Nonnull header, char *_Nonnull message);

/// Decodes into rows of width * components bytes: grey, RGB, or CMYK as stored (Adobe writes it inverted). The caller
/// has checked the header against its limits and made room for `size` bytes.
/// Returns 0, or -1 with the reason in `message` and `pixels` in an unspecified state. A stream that ends early is an
/// error.
int clibjpeg_decode(
    const uint8_t *_Nonnull bytes, size_t count, uint8_t *_Nonnull pixels, size_t size, char *_Nonnull message);

#endif
