/* Tar archives (ustar) in memory: layers, and what docker save writes. */

#ifndef TAR_H
#define TAR_H

#include <stdbool.h>
#include <stddef.h>

struct tar {
  unsigned char *bytes;
  size_t length;
};

struct tar tar_new(void);
/* A file, or a folder where the name ends with a slash. */
void tar_add(struct tar *tar, const char *name, const void *content, size_t length);
void tar_add_text(struct tar *tar, const char *name, const char *content);
/* Two blocks of zeros. */
void tar_end(struct tar *tar);
void tar_free(struct tar *tar);

/* Whether the archive in a file has an entry of this name. */
bool tar_file_has(const char *path, const char *name);
bool write_bytes(const char *path, const void *bytes, size_t length);
/* The bytes as a JSON string, without the quotes; the caller frees it. */
char *json_of(const void *bytes, size_t length);

#endif
