/* What holds before anything is asked of a registry: versions, values, NULL. */

#include "harness.h"

/* What the values mean never changes, so they stand here a second time. */
_Static_assert(WSLIMAGE_ABI_VERSION == 3, "ABI version");
_Static_assert(sizeof(wslimage_status) == 4 && (wslimage_status)-1 < 0, "wslimage_status is int32_t");
_Static_assert(sizeof(wslimage_error_kind) == 4 && sizeof(wslimage_stage) == 4 && sizeof(wslimage_notice_kind) == 4,
               "enumerations are 4 bytes wide");
_Static_assert(WSLIMAGE_STATUS_OK == 0 && WSLIMAGE_STATUS_PENDING == 1 && WSLIMAGE_STATUS_CANCELLED == 2 &&
                 WSLIMAGE_STATUS_FAILED == 3 && WSLIMAGE_STATUS_INVALID_ARGUMENT == 4 && WSLIMAGE_STATUS_PANIC == 5,
               "statuses");
_Static_assert(WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT == 1 && WSLIMAGE_ERROR_KIND_INVALID_REFERENCE == 2 &&
                 WSLIMAGE_ERROR_KIND_UNAUTHORIZED == 3 && WSLIMAGE_ERROR_KIND_DENIED == 4 &&
                 WSLIMAGE_ERROR_KIND_NOT_FOUND == 5 && WSLIMAGE_ERROR_KIND_BLOB_NOT_FOUND == 6 &&
                 WSLIMAGE_ERROR_KIND_RATE_LIMITED == 7 && WSLIMAGE_ERROR_KIND_SERVER == 8 &&
                 WSLIMAGE_ERROR_KIND_CONNECTION == 9 && WSLIMAGE_ERROR_KIND_TLS == 10 &&
                 WSLIMAGE_ERROR_KIND_TIMEOUT == 11 && WSLIMAGE_ERROR_KIND_INVALID_RESPONSE == 12 &&
                 WSLIMAGE_ERROR_KIND_NO_PLATFORM == 13 && WSLIMAGE_ERROR_KIND_UNSUPPORTED_IMAGE == 14 &&
                 WSLIMAGE_ERROR_KIND_DIGEST_MISMATCH == 15 && WSLIMAGE_ERROR_KIND_FILE == 16 &&
                 WSLIMAGE_ERROR_KIND_INSECURE == 17 && WSLIMAGE_ERROR_KIND_CANCELLED == 18 &&
                 WSLIMAGE_ERROR_KIND_INTERNAL == 19 && WSLIMAGE_ERROR_KIND_PROXY == 20 &&
                 WSLIMAGE_ERROR_KIND_BLOCKED == 21,
               "kinds of errors");
_Static_assert(WSLIMAGE_STAGE_STARTING == 0 && WSLIMAGE_STAGE_AUTHENTICATING == 1 && WSLIMAGE_STAGE_RESOLVING == 2 &&
                 WSLIMAGE_STAGE_DOWNLOADING == 3 && WSLIMAGE_STAGE_FINISHING == 4 && WSLIMAGE_STAGE_DONE == 5,
               "stages");
_Static_assert(WSLIMAGE_NOTICE_KIND_VERBOSE == 1 && WSLIMAGE_NOTICE_KIND_WARNING == 2, "kinds of notices");
_Static_assert(sizeof(wslimage_format) == 4 && WSLIMAGE_FORMAT_TAR_GZ == 0 && WSLIMAGE_FORMAT_TAR == 1 &&
                 WSLIMAGE_FORMAT_TAR_XZ == 2 && WSLIMAGE_FORMAT_ORIGINAL == 3,
               "formats");

static void versions(void)
{
  unsigned major, minor, patch;
  CHECK_NUMBER(wslimage_abi_version(), WSLIMAGE_ABI_VERSION);
  CHECK(wslimage_version() == wslimage_version());
  CHECK_NUMBER(sscanf(wslimage_version(), "%u.%u.%u", &major, &minor, &patch), 3);
}

static void freeing_null_does_nothing(void)
{
  wslimage_error_free(NULL);
  wslimage_client_free(NULL);
  wslimage_operation_free(NULL);
  wslimage_manifest_free(NULL);
  wslimage_reference_free(NULL);
  wslimage_tags_free(NULL);
  wslimage_cache_free(NULL);
  wslimage_cache_entries_free(NULL);
  wslimage_token_free(NULL);
  wslimage_file_free(NULL);
}

static void reading_null_says_nothing(void)
{
  CHECK_NUMBER(wslimage_error_kind_of(NULL), 0);
  CHECK_NUMBER(wslimage_error_stage(NULL), 0);
  CHECK(wslimage_error_message(NULL) == NULL);
  CHECK_NUMBER(wslimage_error_http_status(NULL), 0);
  CHECK(wslimage_error_registry_code(NULL) == NULL);
  CHECK_NUMBER(wslimage_error_retry_after_ms(NULL), -1);
  CHECK(wslimage_error_advice(NULL) == NULL);
  CHECK(wslimage_error_target(NULL) == NULL);
  CHECK(wslimage_error_cause(NULL, 0) == NULL);

  size_t length = 7;
  CHECK(wslimage_manifest_reference(NULL) == NULL);
  CHECK(wslimage_manifest_platform(NULL) == NULL);
  CHECK(wslimage_manifest_digest(NULL) == NULL);
  CHECK(wslimage_manifest_media_type(NULL) == NULL);
  CHECK(wslimage_manifest_json(NULL, &length) == NULL && length == 0);
  length = 7;
  CHECK(wslimage_manifest_config_json(NULL, &length) == NULL && length == 0);
  length = 7;
  CHECK(wslimage_manifest_metadata_json(NULL, &length) == NULL && length == 0);
  CHECK(wslimage_manifest_json(NULL, NULL) == NULL);
  CHECK_NUMBER(wslimage_manifest_dropped_key_count(NULL), 0);
  CHECK(wslimage_manifest_dropped_key(NULL, 0) == NULL);
  CHECK_NUMBER(wslimage_manifest_layer_count(NULL), 0);
  CHECK(wslimage_manifest_layer_media_type(NULL, 0) == NULL);
  CHECK(wslimage_manifest_layer_digest(NULL, 0) == NULL);
  CHECK_NUMBER(wslimage_manifest_layer_size(NULL, 0), 0);

  CHECK(wslimage_token_value(NULL) == NULL);
  CHECK(wslimage_file_path(NULL) == NULL);
  CHECK(wslimage_file_digest(NULL) == NULL);
  CHECK_NUMBER(wslimage_file_size(NULL), 0);

  CHECK(wslimage_reference_text(NULL) == NULL);
  CHECK(wslimage_reference_registry(NULL) == NULL);
  CHECK(wslimage_reference_repository(NULL) == NULL);
  CHECK(wslimage_reference_version(NULL) == NULL);
  CHECK_NUMBER(wslimage_tags_count(NULL), 0);
  CHECK(wslimage_tags_get(NULL, 0) == NULL);
  CHECK_NUMBER(wslimage_cache_entries_count(NULL), 0);
  CHECK(wslimage_cache_entries_digest(NULL, 0) == NULL);
  CHECK(wslimage_cache_entries_path(NULL, 0) == NULL);
  CHECK_NUMBER(wslimage_cache_entries_size(NULL, 0), 0);
  CHECK_NUMBER(wslimage_cache_entries_last_used_ms(NULL, 0), 0);

  uint32_t kind = 7, stage = 7;
  CHECK(wslimage_operation_notice(NULL, 0, &kind, &stage) == NULL && kind == 0 && stage == 0);
  CHECK(wslimage_operation_notice(NULL, 0, NULL, NULL) == NULL);
}

/* A pointer that is left as it is would be freed by the caller. */
#define MARK(type) ((type *)(void *)&mark)
static char mark;

#define CHECK_REFUSED(call, message) \
  do { \
    error = MARK(wslimage_error); \
    CHECK_NUMBER(call, WSLIMAGE_STATUS_INVALID_ARGUMENT); \
    CHECK(error != MARK(wslimage_error)); \
    CHECK_ERROR(error, WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT, WSLIMAGE_STAGE_STARTING, message); \
  } while (0)

static void null_where_something_must_be_is_an_invalid_argument(void)
{
  wslimage_error *error;
  wslimage_client *client = client_with(NULL);
  wslimage_image image = image_of("localhost:1", "a/b", "latest");
  wslimage_operation *operation = MARK(wslimage_operation);
  wslimage_manifest *manifest = MARK(wslimage_manifest);
  wslimage_reference *reference = MARK(wslimage_reference);
  wslimage_tags *tags = MARK(wslimage_tags);
  wslimage_token *token = MARK(wslimage_token);
  wslimage_file *file = MARK(wslimage_file);

  CHECK_REFUSED(wslimage_client_new(NULL, NULL, &error), "client is NULL");
  CHECK_NUMBER(wslimage_client_new(NULL, NULL, NULL), WSLIMAGE_STATUS_INVALID_ARGUMENT);

  CHECK_REFUSED(wslimage_manifest_start(NULL, &image, &operation, &error), "client is NULL");
  CHECK(operation == NULL);
  operation = MARK(wslimage_operation);
  CHECK_REFUSED(wslimage_manifest_start(client, NULL, &operation, &error), "image is NULL");
  CHECK(operation == NULL);
  CHECK_REFUSED(wslimage_manifest_start(client, &image, NULL, &error), "operation is NULL");
  CHECK_NUMBER(wslimage_manifest_start(NULL, NULL, NULL, NULL), WSLIMAGE_STATUS_INVALID_ARGUMENT);

  operation = MARK(wslimage_operation);
  CHECK_REFUSED(wslimage_token_start(NULL, &image, &operation, &error), "client is NULL");
  CHECK(operation == NULL);
  CHECK_REFUSED(wslimage_token_start(client, NULL, &operation, &error), "image is NULL");
  CHECK_REFUSED(wslimage_token_start(client, &image, NULL, &error), "operation is NULL");
  CHECK_NUMBER(wslimage_token_start(NULL, NULL, NULL, NULL), WSLIMAGE_STATUS_INVALID_ARGUMENT);

  CHECK_REFUSED(wslimage_reference_new(NULL, &reference, &error), "image is NULL");
  CHECK(reference == NULL);
  CHECK_REFUSED(wslimage_reference_new(&image, NULL, &error), "reference is NULL");
  CHECK_NUMBER(wslimage_reference_new(NULL, NULL, NULL), WSLIMAGE_STATUS_INVALID_ARGUMENT);

  operation = MARK(wslimage_operation);
  CHECK_REFUSED(wslimage_tags_start(NULL, &image, &operation, &error), "client is NULL");
  CHECK(operation == NULL);
  CHECK_REFUSED(wslimage_tags_start(client, NULL, &operation, &error), "image is NULL");
  CHECK_REFUSED(wslimage_tags_start(client, &image, NULL, &error), "operation is NULL");
  CHECK_REFUSED(wslimage_operation_take_tags(NULL, &tags, &error), "operation is NULL");
  CHECK(tags == NULL);
  CHECK_REFUSED(wslimage_operation_take_tags(NULL, NULL, &error), "tags is NULL");

  operation = MARK(wslimage_operation);
  CHECK_REFUSED(wslimage_pull_start(NULL, NULL, "x", NULL, &operation, &error), "manifest is NULL");
  CHECK(operation == NULL);
  CHECK_REFUSED(wslimage_pull_start(client, NULL, "x", NULL, &operation, &error), "manifest is NULL");
  CHECK_REFUSED(wslimage_pull_start(client, NULL, "x", NULL, NULL, &error), "operation is NULL");
  CHECK_NUMBER(wslimage_pull_start(NULL, NULL, NULL, NULL, NULL, NULL), WSLIMAGE_STATUS_INVALID_ARGUMENT);

  CHECK_NUMBER(wslimage_operation_wait(NULL, 0), WSLIMAGE_STATUS_INVALID_ARGUMENT);
  CHECK_NUMBER(wslimage_operation_cancel(NULL), WSLIMAGE_STATUS_INVALID_ARGUMENT);
  CHECK_NUMBER(wslimage_operation_progress(NULL, NULL), WSLIMAGE_STATUS_INVALID_ARGUMENT);
  CHECK_NUMBER(wslimage_operation_run(NULL, NULL, NULL), WSLIMAGE_STATUS_INVALID_ARGUMENT);

  CHECK_REFUSED(wslimage_operation_take_manifest(NULL, &manifest, &error), "operation is NULL");
  CHECK_REFUSED(wslimage_operation_take_token(NULL, &token, &error), "operation is NULL");
  CHECK_REFUSED(wslimage_operation_take_file(NULL, &file, &error), "operation is NULL");
  CHECK(manifest == NULL && token == NULL && file == NULL);
  CHECK_REFUSED(wslimage_operation_take_manifest(NULL, NULL, &error), "manifest is NULL");
  CHECK_REFUSED(wslimage_operation_take_token(NULL, NULL, &error), "token is NULL");
  CHECK_REFUSED(wslimage_operation_take_file(NULL, NULL, &error), "file is NULL");
  CHECK_NUMBER(wslimage_operation_take_file(NULL, NULL, NULL), WSLIMAGE_STATUS_INVALID_ARGUMENT);

  wslimage_client_free(client);
}

void library_tests(void)
{
  RUN(versions);
  RUN(freeing_null_does_nothing);
  RUN(reading_null_says_nothing);
  RUN(null_where_something_must_be_is_an_invalid_argument);
}
