/* Tests, checks and what most tests begin with. */

#ifndef HARNESS_H
#define HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wslimage.h>

/* Runs a test and prints how it went. */
#define RUN(test) run(#test, test)
void run(const char *name, void (*test)(void));
/* Prints the last line; the exit code. */
int summarise(void);

/* A check that fails is told and counted; the test goes on. REQUIRE ends the test instead. */
#define CHECK(condition) check((condition), #condition, __FILE__, __LINE__)
#define CHECK_NUMBER(actual, expected) \
  check_number((int64_t)(actual), (int64_t)(expected), #actual, __FILE__, __LINE__)
#define CHECK_TEXT(actual, expected) check_text((actual), (expected), #actual, __FILE__, __LINE__)
#define CHECK_BEGINS(actual, expected) check_begins((actual), (expected), #actual, __FILE__, __LINE__)
#define CHECK_CONTAINS(actual, expected) check_contains((actual), (expected), #actual, __FILE__, __LINE__)
#define REQUIRE(condition) \
  do { \
    if (!CHECK(condition)) return; \
  } while (0)

bool check(bool condition, const char *what, const char *file, int line);
bool check_number(int64_t actual, int64_t expected, const char *what, const char *file, int line);
bool check_text(const char *actual, const char *expected, const char *what, const char *file, int line);
bool check_begins(const char *actual, const char *expected, const char *what, const char *file, int line);
bool check_contains(const char *actual, const char *expected, const char *what, const char *file, int line);

/* Whether times are worth comparing. */
bool time_matters(void);

/* A new string; the caller frees it. Ends the program where there is no memory. */
char *text(const char *format, ...)
#if defined(__GNUC__) && !defined(__MINGW32__)
  __attribute__((format(printf, 1, 2)))
#endif
  ;

/* An error is as expected: kind, stage and the beginning of its message. Frees it. */
#define CHECK_ERROR(error, kind, stage, message) check_error((error), (kind), (stage), (message), __FILE__, __LINE__)
void check_error(wslimage_error *error, uint32_t kind, uint32_t stage, const char *message, const char *file, int line);

/* An environment that leads to no login, proxy or mirror of this machine; client_options has it, and no retries. */
extern const char *const NO_VARIABLES[];

/* A client that trusts the test registry. */
wslimage_client *trusting_client(void);
wslimage_client *client_with(const wslimage_client_options *options);
wslimage_client_options client_options(void);
wslimage_image image_of(const char *registry, const char *name, const char *tag);

/* Starts, waits for the end and takes; tells an error and is NULL where that did not work. */
wslimage_manifest *resolve(wslimage_client *client, const wslimage_image *image);
wslimage_file *pull(wslimage_client *client, const wslimage_manifest *manifest, const char *path);
/* The same where it must fail: the error. */
wslimage_error *resolve_error(wslimage_client *client, const wslimage_image *image);
wslimage_error *pull_error(wslimage_client *client, const wslimage_manifest *manifest, const char *path);
wslimage_operation *start_pull(wslimage_client *client, const wslimage_manifest *manifest, const char *path);

/* Waits until bytes of an operation have been written; false when it has ended before. */
bool wait_for_bytes(wslimage_operation *operation);

/* A path in this run's own folder; the caller frees it. */
char *path_of(const char *name);
bool file_holds(const char *path, const char *content, size_t length);
bool file_exists(const char *path);
bool write_file(const char *path, const char *content);
/* Neither the file nor a partial one is there. */
bool nothing_at(const char *path);

/* Text of so many characters, the same for the same seed, that does not repeat soon. */
char *content_of(size_t length, uint32_t seed);

void library_tests(void);
void option_tests(void);
void reference_tests(void);
void tag_tests(void);
void cache_tests(void);
void network_tests(void);
void pull_tests(void);
void archive_tests(void);
void manifest_tests(void);
void login_tests(void);
void failure_tests(void);
void cancel_tests(void);
void thread_tests(void);
void panic_tests(void);

#endif
