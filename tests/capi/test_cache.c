/* Blobs kept between pulls. */

#include "harness.h"
#include "platform.h"

/* What the SHA-256 of "layer" and of "other" is. */
#define LAYER "dac1d7cfa95021764849fd102524e141488c5e3a90f861dbb5a12d9ac8584f85"
#define OTHER "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa"

static wslimage_cache *opened(const char *path)
{
  wslimage_cache *cache = NULL;
  wslimage_error *error = NULL;
  CHECK_NUMBER(wslimage_cache_new(path, &cache, &error), WSLIMAGE_STATUS_OK);
  CHECK(error == NULL);
  return cache;
}

static wslimage_cache_entries *entries_of(const wslimage_cache *cache)
{
  wslimage_cache_entries *entries = NULL;
  wslimage_error *error = NULL;
  CHECK_NUMBER(wslimage_cache_read(cache, &entries, &error), WSLIMAGE_STATUS_OK);
  CHECK(error == NULL);
  return entries;
}

static size_t count_of(const wslimage_cache *cache)
{
  wslimage_cache_entries *entries = entries_of(cache);
  size_t count = wslimage_cache_entries_count(entries);
  wslimage_cache_entries_free(entries);
  return count;
}

/* A cache that holds "layer" and "other", in the folders of an OCI image-layout. */
static char *filled_cache(const char *name)
{
  char *path = path_of(name);
  char *blobs = text("%s/blobs", path);
  char *folder = text("%s/blobs/sha256", path);
  char *layer = text("%s/" LAYER, folder);
  char *other = text("%s/" OTHER, folder);
  make_folder(path);
  make_folder(blobs);
  make_folder(folder);
  CHECK(write_file(layer, "layer"));
  CHECK(write_file(other, "other"));
  free(other);
  free(layer);
  free(folder);
  free(blobs);
  return path;
}

static void a_cache_that_is_not_there_is_empty_and_stays_so(void)
{
  char *path = path_of("no-cache");
  wslimage_cache *cache = opened(path);
  CHECK_NUMBER(count_of(cache), 0);
  CHECK_NUMBER(wslimage_cache_remove(cache, NULL, NULL, NULL), WSLIMAGE_STATUS_OK);
  CHECK(!file_exists(path));
  wslimage_cache_free(cache);
  free(path);
}

static void what_a_cache_holds_is_told(void)
{
  char *path = filled_cache("cache-entries");
  wslimage_cache *cache = opened(path);
  wslimage_cache_entries *entries = entries_of(cache);
  wslimage_cache_free(cache);
  CHECK_NUMBER(wslimage_cache_entries_count(entries), 2);
  bool seen_layer = false, seen_other = false;
  for (size_t i = 0; i < 2; i++) {
    const char *digest = wslimage_cache_entries_digest(entries, i);
    seen_layer |= digest && strcmp(digest, "sha256:" LAYER) == 0;
    seen_other |= digest && strcmp(digest, "sha256:" OTHER) == 0;
    CHECK_NUMBER(wslimage_cache_entries_size(entries, i), 5);
    CHECK(wslimage_cache_entries_last_used_ms(entries, i) > 1600000000000);
    CHECK(file_exists(wslimage_cache_entries_path(entries, i)));
  }
  CHECK(seen_layer && seen_other);
  const size_t beyond[] = {2, (size_t)-1};
  for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
    CHECK(wslimage_cache_entries_digest(entries, beyond[i]) == NULL);
    CHECK(wslimage_cache_entries_path(entries, beyond[i]) == NULL);
    CHECK_NUMBER(wslimage_cache_entries_size(entries, beyond[i]), 0);
    CHECK_NUMBER(wslimage_cache_entries_last_used_ms(entries, beyond[i]), 0);
  }
  wslimage_cache_entries_free(entries);
  free(path);
}

static void what_is_asked_for_is_removed(void)
{
  char *path = filled_cache("cache-remove");
  wslimage_cache *cache = opened(path);
  wslimage_cache_filter filter;
  wslimage_cache_removed removed;
  memset(&filter, 0, sizeof filter);
  filter.size = sizeof filter;
  removed.size = sizeof removed;

  filter.unused_since_ms = 1000000000000;
  CHECK_NUMBER(wslimage_cache_remove(cache, &filter, &removed, NULL), WSLIMAGE_STATUS_OK);
  CHECK_NUMBER(removed.count, 0);
  CHECK_NUMBER(count_of(cache), 2);

  filter.unused_since_ms = 0;
  filter.digest = "sha256:" LAYER;
  CHECK_NUMBER(wslimage_cache_remove(cache, &filter, &removed, NULL), WSLIMAGE_STATUS_OK);
  CHECK_NUMBER(removed.count, 1);
  CHECK_NUMBER(removed.bytes, 5);
  wslimage_cache_entries *entries = entries_of(cache);
  CHECK_NUMBER(wslimage_cache_entries_count(entries), 1);
  CHECK_TEXT(wslimage_cache_entries_digest(entries, 0), "sha256:" OTHER);
  wslimage_cache_entries_free(entries);

  filter.digest = NULL;
  filter.unused_since_ms = 4000000000000;
  CHECK_NUMBER(wslimage_cache_remove(cache, &filter, &removed, NULL), WSLIMAGE_STATUS_OK);
  CHECK_NUMBER(removed.count, 1);
  CHECK_NUMBER(count_of(cache), 0);
  wslimage_cache_free(cache);
  free(path);
}

static void wrong_calls_are_refused(void)
{
  char *path = filled_cache("cache-refused");
  wslimage_cache *cache = opened(path), *none = NULL;
  wslimage_cache_entries *entries = NULL;
  wslimage_error *error = NULL;
  wslimage_cache_filter filter;
  wslimage_cache_removed removed;
  memset(&filter, 0, sizeof filter);

  CHECK_NUMBER(wslimage_cache_new(NULL, &none, &error), WSLIMAGE_STATUS_INVALID_ARGUMENT);
  CHECK_ERROR(error, WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT, WSLIMAGE_STAGE_STARTING, "path is NULL");
  CHECK_NUMBER(wslimage_cache_new(path, NULL, NULL), WSLIMAGE_STATUS_INVALID_ARGUMENT);
  CHECK_NUMBER(wslimage_cache_read(NULL, &entries, NULL), WSLIMAGE_STATUS_INVALID_ARGUMENT);
  CHECK_NUMBER(wslimage_cache_read(cache, NULL, NULL), WSLIMAGE_STATUS_INVALID_ARGUMENT);
  CHECK_NUMBER(wslimage_cache_remove(NULL, NULL, NULL, NULL), WSLIMAGE_STATUS_INVALID_ARGUMENT);
  CHECK_NUMBER(wslimage_cache_remove(cache, &filter, NULL, NULL), WSLIMAGE_STATUS_INVALID_ARGUMENT);
  filter.size = sizeof filter;
  removed.size = 1;
  CHECK_NUMBER(wslimage_cache_remove(cache, &filter, &removed, NULL), WSLIMAGE_STATUS_INVALID_ARGUMENT);
  filter.digest = "sha256:" LAYER;
  filter.unused_since_ms = 1;
  CHECK_NUMBER(wslimage_cache_remove(cache, &filter, NULL, NULL), WSLIMAGE_STATUS_INVALID_ARGUMENT);
  filter.digest = "latest";
  filter.unused_since_ms = 0;
  CHECK_NUMBER(wslimage_cache_remove(cache, &filter, NULL, &error), WSLIMAGE_STATUS_FAILED);
  CHECK_ERROR(error, WSLIMAGE_ERROR_KIND_INVALID_REFERENCE, WSLIMAGE_STAGE_STARTING, "\"latest\" is not a digest");
  CHECK_NUMBER(count_of(cache), 2);

  char *file = path_of("cache-file");
  CHECK(write_file(file, "x"));
  CHECK_NUMBER(wslimage_cache_new(file, &none, &error), WSLIMAGE_STATUS_FAILED);
  CHECK(none == NULL);
  CHECK_ERROR(error, WSLIMAGE_ERROR_KIND_FILE, WSLIMAGE_STAGE_STARTING, "Failed to open ");
  free(file);
  wslimage_cache_free(cache);
  free(path);
}

void cache_tests(void)
{
  RUN(a_cache_that_is_not_there_is_empty_and_stays_so);
  RUN(what_a_cache_holds_is_told);
  RUN(what_is_asked_for_is_removed);
  RUN(wrong_calls_are_refused);
}
