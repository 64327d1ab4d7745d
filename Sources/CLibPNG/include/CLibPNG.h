// libpng behind calls that return: its errors are longjmps, which must never cross a Swift frame.
#ifndef CLIBPNG_H
#define CLIBPNG_H

#include <stddef.h>
#include <stdint.h>

/// Size of the buffers that receive an error's text, terminator included.
#define CLIBPNG_MESSAGE_SIZE 200

/// Decodes a PNG stream into `height` rows of `row_size` bytes: one byte a sample, or two (big-endian) at depth 16;
/// samples of less than eight bits are unpacked, not scaled. The caller has read the header, checked the size against
/// its limits, and made room for height * row_size bytes.
/// Returns 0, or -1 with the reason in `message` and `pixels` in an unspecified state.
int clibpng_decode(
    const uint8_t *_Nonnull bytes, size_t count, uint8_t *_Nonnull pixels, size_t row_size, uint32_t height,
    char *_Nonnull message);

/// Encodes 8-bit RGB rows as a PNG stream with fixed settings.
/// Returns 0 and hands over `*encoded`, to be released with clibpng_free; or -1 with the reason in `message`.
int clibpng_encode(
    const uint8_t *_Nonnull pixels, uint32_t width, uint32_t height, uint8_t *_Nullable *_Nonnull encoded,
    size_t *_Nonnull encoded_count, char *_Nonnull message);

void clibpng_free(uint8_t *_Nullable encoded);

/// Inflates a zlib stream (RFC 1950), as the PNG format's compressed texts are; also one that is cut short, as far as it
/// goes.
/// Returns 0; or -1 when it is damaged or longer than `capacity`.
int clibpng_inflate(
    const uint8_t *_Nonnull bytes, size_t count, uint8_t *_Nonnull destination, size_t capacity,
    size_t *_Nonnull inflated_count);

#endif
