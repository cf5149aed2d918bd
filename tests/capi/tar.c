/* Tar archives (ustar) in memory. */

#include "tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 512, NAME = 0, SIZE = 124, CHECKSUM = 148, TYPE = 156, MAGIC = 257 };

struct tar tar_new(void)
{
  struct tar tar = {NULL, 0};
  return tar;
}

/* Room for so many blocks more, filled with zeros. */
static unsigned char *more(struct tar *tar, size_t blocks)
{
  unsigned char *bytes = realloc(tar->bytes, tar->length + blocks * BLOCK);
  if (!bytes) {
    fprintf(stderr, "no memory\n");
    exit(2);
  }
  unsigned char *added = bytes + tar->length;
  memset(added, 0, blocks * BLOCK);
  tar->bytes = bytes;
  tar->length += blocks * BLOCK;
  return added;
}

void tar_add(struct tar *tar, const char *name, const void *content, size_t length)
{
  bool is_folder = name[strlen(name) - 1] == '/';
  size_t blocks = (length + BLOCK - 1) / BLOCK;
  unsigned char *header = more(tar, 1 + blocks);
  memcpy(header + NAME, name, strlen(name));
  memcpy(header + 100, is_folder ? "0000755" : "0000644", 7);
  memcpy(header + 108, "0000000", 7);
  memcpy(header + 116, "0000000", 7);
  char size[12];
  snprintf(size, sizeof size, "%011lo", (unsigned long)length);
  memcpy(header + SIZE, size, 11);
  memcpy(header + 136, "14570325456", 11);
  header[TYPE] = is_folder ? '5' : '0';
  memcpy(header + MAGIC, "ustar\0" "00", 8);
  memset(header + CHECKSUM, ' ', 8);
  unsigned sum = 0;
  for (size_t i = 0; i < BLOCK; i++) sum += header[i];
  char checksum[8];
  snprintf(checksum, sizeof checksum, "%06o", sum);
  memcpy(header + CHECKSUM, checksum, 7);
  if (length > 0) memcpy(header + BLOCK, content, length);
}

void tar_add_text(struct tar *tar, const char *name, const char *content)
{
  tar_add(tar, name, content, strlen(content));
}

void tar_end(struct tar *tar)
{
  more(tar, 2);
}

void tar_free(struct tar *tar)
{
  free(tar->bytes);
  *tar = tar_new();
}

bool tar_file_has(const char *path, const char *name)
{
  FILE *file = fopen(path, "rb");
  unsigned char header[BLOCK];
  bool found = false;
  while (file && !found && fread(header, 1, BLOCK, file) == BLOCK && header[NAME] != 0) {
    found = strncmp((const char *)header + NAME, name, 100) == 0;
    char size[13] = "";
    memcpy(size, header + SIZE, 12);
    unsigned long length = strtoul(size, NULL, 8);
    if (fseek(file, (long)((length + BLOCK - 1) / BLOCK * BLOCK), SEEK_CUR) != 0) break;
  }
  if (file) fclose(file);
  return found;
}

bool write_bytes(const char *path, const void *bytes, size_t length)
{
  FILE *file = fopen(path, "wb");
  if (!file) return false;
  bool written = fwrite(bytes, 1, length, file) == length;
  return fclose(file) == 0 && written;
}

char *json_of(const void *bytes, size_t length)
{
  char *json = malloc(length * 6 + 1);
  if (!json) {
    fprintf(stderr, "no memory\n");
    exit(2);
  }
  char *end = json;
  for (size_t i = 0; i < length; i++) end += sprintf(end, "\\u%04x", ((const unsigned char *)bytes)[i]);
  *end = '\0';
  return json;
}
