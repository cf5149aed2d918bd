/* Tests, checks and what most tests begin with. */

#include "harness.h"

#include <stdarg.h>

#include "platform.h"
#include "registry.h"

static int passed;
static int failed;
static bool this_one_failed;

void run(const char *name, void (*test)(void))
{
  this_one_failed = false;
  test();
  if (this_one_failed) {
    failed++;
    printf("failed: %s\n", name);
  } else {
    passed++;
    printf("ok %s\n", name);
  }
  fflush(stdout);
}

int summarise(void)
{
  remove_folder(own_folder());
  printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}

bool check(bool condition, const char *what, const char *file, int line)
{
  if (!condition) {
    this_one_failed = true;
    printf("failed: %s:%d: not so: %s\n", file, line, what);
  }
  return condition;
}

bool check_number(int64_t actual, int64_t expected, const char *what, const char *file, int line)
{
  if (actual == expected) return true;
  this_one_failed = true;
  printf("failed: %s:%d: %s is %lld, not %lld\n", file, line, what, (long long)actual, (long long)expected);
  return false;
}

static bool check_string(bool good, const char *actual, const char *how, const char *expected, const char *what,
                         const char *file, int line)
{
  if (good) return true;
  this_one_failed = true;
  printf("failed: %s:%d: %s is \"%s\", which %s \"%s\"\n", file, line, what, actual ? actual : "(NULL)", how,
         expected ? expected : "(NULL)");
  return false;
}

bool check_text(const char *actual, const char *expected, const char *what, const char *file, int line)
{
  bool good = actual && expected ? strcmp(actual, expected) == 0 : actual == expected;
  return check_string(good, actual, "is not", expected, what, file, line);
}

bool check_begins(const char *actual, const char *expected, const char *what, const char *file, int line)
{
  bool good = actual && strncmp(actual, expected, strlen(expected)) == 0;
  return check_string(good, actual, "does not begin with", expected, what, file, line);
}

bool check_contains(const char *actual, const char *expected, const char *what, const char *file, int line)
{
  bool good = actual && strstr(actual, expected);
  return check_string(good, actual, "does not contain", expected, what, file, line);
}

bool time_matters(void)
{
  return getenv("WSLIMAGE_TEST_VALGRIND") == NULL;
}

char *text(const char *format, ...)
{
  va_list arguments, again;
  va_start(arguments, format);
  va_copy(again, arguments);
  int length = vsnprintf(NULL, 0, format, arguments);
  va_end(arguments);
  char *result = length < 0 ? NULL : malloc((size_t)length + 1);
  if (!result) {
    fprintf(stderr, "no memory\n");
    exit(2);
  }
  vsnprintf(result, (size_t)length + 1, format, again);
  va_end(again);
  return result;
}

void check_error(wslimage_error *error, uint32_t kind, uint32_t stage, const char *message, const char *file, int line)
{
  if (!check(error != NULL, "there is an error", file, line)) return;
  const char *actual = wslimage_error_message(error);
  bool good = check_number(wslimage_error_kind_of(error), kind, "the error's kind", file, line);
  good &= check_number(wslimage_error_stage(error), stage, "the error's stage", file, line);
  good &= check_begins(actual, message, "the error's message", file, line);
  if (!good) printf("failed: the error was: %s\n", actual);
  wslimage_error_free(error);
}

const char *const NO_VARIABLES[] = {NULL};

wslimage_client_options client_options(void)
{
  wslimage_client_options options;
  memset(&options, 0, sizeof options);
  options.size = sizeof options;
  options.environment = NO_VARIABLES;
  options.no_retry = true;
  return options;
}

wslimage_client *client_with(const wslimage_client_options *options)
{
  wslimage_client *client = NULL;
  wslimage_error *error = NULL;
  wslimage_status status = wslimage_client_new(options, &client, &error);
  if (status != WSLIMAGE_STATUS_OK) printf("failed: no client: %s\n", wslimage_error_message(error));
  CHECK_NUMBER(status, WSLIMAGE_STATUS_OK);
  CHECK(error == NULL);
  wslimage_error_free(error);
  return client;
}

wslimage_client *trusting_client(void)
{
  wslimage_client_options options = client_options();
  options.ca_certificate_path = registry_ca();
  return client_with(&options);
}

wslimage_image image_of(const char *registry, const char *name, const char *tag)
{
  wslimage_image image;
  memset(&image, 0, sizeof image);
  image.size = sizeof image;
  image.registry = registry;
  image.name = name;
  image.tag = tag;
  return image;
}

static wslimage_operation *started(wslimage_status status, wslimage_operation *operation, wslimage_error *error)
{
  if (status != WSLIMAGE_STATUS_OK) printf("failed: not started: %s\n", wslimage_error_message(error));
  CHECK_NUMBER(status, WSLIMAGE_STATUS_OK);
  CHECK((operation != NULL) == (status == WSLIMAGE_STATUS_OK));
  wslimage_error_free(error);
  return operation;
}

static wslimage_operation *start_resolve(wslimage_client *client, const wslimage_image *image)
{
  wslimage_operation *operation = NULL;
  wslimage_error *error = NULL;
  wslimage_status status = wslimage_manifest_start(client, image, &operation, &error);
  return started(status, operation, error);
}

wslimage_operation *start_pull(wslimage_client *client, const wslimage_manifest *manifest, const char *path)
{
  wslimage_operation *operation = NULL;
  wslimage_error *error = NULL;
  wslimage_status status = wslimage_pull_start(client, manifest, path, NULL, &operation, &error);
  return started(status, operation, error);
}

wslimage_manifest *resolve(wslimage_client *client, const wslimage_image *image)
{
  wslimage_operation *operation = start_resolve(client, image);
  wslimage_manifest *manifest = NULL;
  wslimage_error *error = NULL;
  wslimage_status status = wslimage_operation_run(operation, NULL, NULL);
  CHECK_NUMBER(wslimage_operation_take_manifest(operation, &manifest, &error), status);
  if (status != WSLIMAGE_STATUS_OK) printf("failed: not resolved: %s\n", wslimage_error_message(error));
  CHECK_NUMBER(status, WSLIMAGE_STATUS_OK);
  wslimage_error_free(error);
  wslimage_operation_free(operation);
  return manifest;
}

wslimage_file *pull(wslimage_client *client, const wslimage_manifest *manifest, const char *path)
{
  wslimage_operation *operation = start_pull(client, manifest, path);
  wslimage_file *file = NULL;
  wslimage_error *error = NULL;
  wslimage_status status = wslimage_operation_run(operation, NULL, NULL);
  CHECK_NUMBER(wslimage_operation_take_file(operation, &file, &error), status);
  if (status != WSLIMAGE_STATUS_OK) printf("failed: not pulled: %s\n", wslimage_error_message(error));
  CHECK_NUMBER(status, WSLIMAGE_STATUS_OK);
  wslimage_error_free(error);
  wslimage_operation_free(operation);
  return file;
}

wslimage_error *resolve_error(wslimage_client *client, const wslimage_image *image)
{
  wslimage_operation *operation = start_resolve(client, image);
  wslimage_manifest *manifest = NULL;
  wslimage_error *error = NULL;
  CHECK_NUMBER(wslimage_operation_run(operation, NULL, NULL), WSLIMAGE_STATUS_FAILED);
  CHECK_NUMBER(wslimage_operation_take_manifest(operation, &manifest, &error), WSLIMAGE_STATUS_FAILED);
  CHECK(manifest == NULL);
  wslimage_manifest_free(manifest);
  wslimage_operation_free(operation);
  return error;
}

wslimage_error *pull_error(wslimage_client *client, const wslimage_manifest *manifest, const char *path)
{
  wslimage_operation *operation = start_pull(client, manifest, path);
  wslimage_file *file = NULL;
  wslimage_error *error = NULL;
  CHECK_NUMBER(wslimage_operation_run(operation, NULL, NULL), WSLIMAGE_STATUS_FAILED);
  CHECK_NUMBER(wslimage_operation_take_file(operation, &file, &error), WSLIMAGE_STATUS_FAILED);
  CHECK(file == NULL);
  wslimage_file_free(file);
  wslimage_operation_free(operation);
  return error;
}

bool wait_for_bytes(wslimage_operation *operation)
{
  wslimage_progress progress;
  for (;;) {
    bool has_ended = wslimage_operation_wait(operation, 1) != WSLIMAGE_STATUS_PENDING;
    progress.size = sizeof progress;
    if (!CHECK_NUMBER(wslimage_operation_progress(operation, &progress), WSLIMAGE_STATUS_OK)) return false;
    if (has_ended) return CHECK(!has_ended);
    if (progress.bytes_done > 0) return true;
  }
}

char *path_of(const char *name)
{
  return text("%s/%s", own_folder(), name);
}

bool file_exists(const char *path)
{
  FILE *file = fopen(path, "rb");
  if (file) fclose(file);
  return file != NULL;
}

bool file_holds(const char *path, const char *content, size_t length)
{
  FILE *file = fopen(path, "rb");
  char *found = malloc(length + 1);
  bool same = false;
  if (file && found) {
    size_t count = fread(found, 1, length + 1, file);
    same = count == length && memcmp(found, content, length) == 0;
  }
  free(found);
  if (file) fclose(file);
  return same;
}

bool write_file(const char *path, const char *content)
{
  FILE *file = fopen(path, "wb");
  if (!file) return false;
  bool written = fputs(content, file) >= 0;
  return fclose(file) == 0 && written;
}

bool nothing_at(const char *path)
{
  char *partial = text("%s.partial", path);
  bool nothing = !file_exists(path) && !file_exists(partial);
  free(partial);
  return nothing;
}

char *content_of(size_t length, uint32_t seed)
{
  char *content = malloc(length + 1);
  if (!content) {
    fprintf(stderr, "no memory\n");
    exit(2);
  }
  for (size_t i = 0; i < length; i++) {
    seed = seed * 1664525u + 1013904223u;
    content[i] = (char)('a' + (seed >> 24) % 26);
  }
  content[length] = '\0';
  return content;
}
