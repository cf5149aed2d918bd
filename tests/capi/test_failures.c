/* What goes wrong at the registry, on the way and on the disk. */

#include "harness.h"
#include "platform.h"
#include "registry.h"

enum { LAYER_LENGTH = 200000 };

/* The error of an image whose manifest is served as this step says. */
static wslimage_error *error_of_manifest_step(const char *name, const char *step)
{
  char *repository = repository_of(name);
  add_image(repository, NULL, "layer");
  char *path = text("/v2/%s/manifests/latest", repository);
  add_route(path, step);
  wslimage_client *client = trusting_client();
  wslimage_image image = image_of(registry_https(), repository, "latest");
  wslimage_error *error = resolve_error(client, &image);
  wslimage_client_free(client);
  delete_route(path);
  free(path);
  free(repository);
  return error;
}

static void a_tag_that_is_not_there(void)
{
  char *repository = repository_of("missing");
  add_image(repository, NULL, "layer");
  wslimage_client *client = trusting_client();
  wslimage_image image = image_of(registry_https(), repository, "no-such-tag");
  wslimage_operation *operation = NULL;
  wslimage_manifest *manifest = NULL;
  wslimage_error *error = NULL, *again = NULL;
  CHECK_NUMBER(wslimage_manifest_start(client, &image, &operation, &error), WSLIMAGE_STATUS_OK);
  CHECK_NUMBER(wslimage_operation_run(operation, NULL, NULL), WSLIMAGE_STATUS_FAILED);
  CHECK_NUMBER(wslimage_operation_take_manifest(operation, &manifest, NULL), WSLIMAGE_STATUS_FAILED);
  CHECK_NUMBER(wslimage_operation_take_manifest(operation, &manifest, &error), WSLIMAGE_STATUS_FAILED);
  CHECK_NUMBER(wslimage_operation_take_manifest(operation, &manifest, &again), WSLIMAGE_STATUS_FAILED);
  CHECK(manifest == NULL && error != again);
  /* Each is the caller's own, and outlives the operation. */
  wslimage_error_free(again);
  wslimage_operation_free(operation);

  char *reference = text("%s/%s:no-such-tag", registry_https(), repository);
  char *message = text("Image not found: %s", reference);
  CHECK_NUMBER(wslimage_error_http_status(error), 404);
  CHECK_TEXT(wslimage_error_registry_code(error), "MANIFEST_UNKNOWN");
  CHECK_TEXT(wslimage_error_target(error), reference);
  CHECK_NUMBER(wslimage_error_retry_after_ms(error), -1);
  CHECK_ERROR(error, WSLIMAGE_ERROR_KIND_NOT_FOUND, WSLIMAGE_STAGE_RESOLVING, message);
  free(message);
  free(reference);
  wslimage_client_free(client);
  free(repository);
}

static void too_many_requests(void)
{
  wslimage_error *error = error_of_manifest_step(
    "too-many", "{\"status\":429,\"headers\":{\"Retry-After\":\"7\"},\"body\":"
                "\"{\\\"errors\\\":[{\\\"code\\\":\\\"TOOMANY\\\\u0000REQUESTS\\\",\\\"message\\\":\\\"slow\\\"}]}\"}");
  CHECK_NUMBER(wslimage_error_http_status(error), 429);
  CHECK_NUMBER(wslimage_error_retry_after_ms(error), 7000);
  CHECK_BEGINS(wslimage_error_registry_code(error), "TOOMANY");
  CHECK_CONTAINS(wslimage_error_registry_code(error), "REQUESTS");
  CHECK(wslimage_error_advice(error) != NULL);
  CHECK_NUMBER(wslimage_error_kind_of(error), WSLIMAGE_ERROR_KIND_RATE_LIMITED);
  wslimage_error_free(error);
}

static void answers_of_all_sorts(void)
{
  const struct {
    const char *step;
    uint32_t kind;
    uint16_t status;
  } answers[] = {
    {"{\"status\":401}", WSLIMAGE_ERROR_KIND_UNAUTHORIZED, 401},
    {"{\"status\":403}", WSLIMAGE_ERROR_KIND_DENIED, 403},
    {"{\"status\":500}", WSLIMAGE_ERROR_KIND_SERVER, 500},
    {"{\"status\":503,\"body\":\"<html>\"}", WSLIMAGE_ERROR_KIND_SERVER, 503},
    {"{\"body\":\"<html>\"}", WSLIMAGE_ERROR_KIND_INVALID_RESPONSE, 0},
    {"{\"status\":302}", WSLIMAGE_ERROR_KIND_INVALID_RESPONSE, 302},
    {"{\"status\":302,\"headers\":{\"Location\":\"http://localhost:1/x\"}}", WSLIMAGE_ERROR_KIND_INSECURE, 0},
    {"{\"closeBeforeResponse\":true}", WSLIMAGE_ERROR_KIND_CONNECTION, 0},
    {"{\"pass\":true,\"cutAfter\":10}", WSLIMAGE_ERROR_KIND_CONNECTION, 0},
    {"{\"body\":\"{\\\"schemaVersion\\\":1}\"}", WSLIMAGE_ERROR_KIND_UNSUPPORTED_IMAGE, 0},
  };
  for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
    char *name = text("answer-%zu", i);
    wslimage_error *error = error_of_manifest_step(name, answers[i].step);
    if (!CHECK_NUMBER(wslimage_error_kind_of(error), answers[i].kind)) {
      printf("  %s: %s\n", answers[i].step, wslimage_error_message(error));
    }
    CHECK_NUMBER(wslimage_error_http_status(error), answers[i].status);
    CHECK(wslimage_error_message(error) && strlen(wslimage_error_message(error)) > 10);
    wslimage_error_free(error);
    free(name);
  }
}

static void no_image_for_the_platform(void)
{
  char *repository = repository_of("platform");
  add_image(repository, NULL, "layer");
  wslimage_client *client = trusting_client();
  wslimage_image image = image_of(registry_https(), repository, "latest");
  image.platform = "linux/s390x";
  CHECK_ERROR(resolve_error(client, &image), WSLIMAGE_ERROR_KIND_NO_PLATFORM, WSLIMAGE_STAGE_RESOLVING,
              "No s390x manifest found in the image manifest");
  wslimage_client_free(client);
  free(repository);
}

static void no_connection(void)
{
  /* Port 1 is tcpmux, which nobody runs. */
  wslimage_client *client = client_with(NULL);
  wslimage_image image = image_of("127.0.0.1:1", "a/b", "latest");
  wslimage_error *error = resolve_error(client, &image);
  CHECK_NUMBER(wslimage_error_kind_of(error), WSLIMAGE_ERROR_KIND_CONNECTION);
  CHECK(wslimage_error_cause(error, 0) != NULL);
  wslimage_error_free(error);

  image = image_of(registry_https(), "a/b", "latest");
  error = resolve_error(client, &image);
  CHECK_NUMBER(wslimage_error_kind_of(error), WSLIMAGE_ERROR_KIND_TLS);
  CHECK(wslimage_error_advice(error) != NULL);
  size_t causes = 0;
  while (wslimage_error_cause(error, causes)) causes++;
  CHECK(causes > 0);
  CHECK(wslimage_error_cause(error, causes + 1) == NULL);
  wslimage_error_free(error);
  wslimage_client_free(client);
}

/* A layer that is served as this step says leaves an older file as it was, and nothing else. */
static void check_failing_layer(const char *name, const char *step, uint32_t kind, uint32_t stage, const char *message)
{
  char *repository = repository_of(name);
  char *layer = content_of(LAYER_LENGTH, 11);
  add_image_with_layer_step(repository, layer, step);
  wslimage_client *client = trusting_client();
  wslimage_image image = image_of(registry_https(), repository, "latest");
  wslimage_manifest *manifest = resolve(client, &image);

  char *path = path_of(name);
  CHECK_ERROR(pull_error(client, manifest, path), kind, stage, message);
  CHECK(nothing_at(path));
  CHECK(write_file(path, "older"));
  wslimage_error_free(pull_error(client, manifest, path));
  CHECK(file_holds(path, "older", 5));
  remove(path);
  CHECK(nothing_at(path));

  free(path);
  wslimage_manifest_free(manifest);
  wslimage_client_free(client);
  free(layer);
  free(repository);
}

static void layers_that_do_not_come_whole_leave_nothing_behind(void)
{
  const char *begin = "Failed to download Docker image layer: ";
  check_failing_layer("layer-404", "{\"status\":404}", WSLIMAGE_ERROR_KIND_BLOB_NOT_FOUND, WSLIMAGE_STAGE_DOWNLOADING,
                      begin);
  check_failing_layer("layer-500", "{\"status\":500}", WSLIMAGE_ERROR_KIND_SERVER, WSLIMAGE_STAGE_DOWNLOADING, begin);
  check_failing_layer("layer-cut", "{\"pass\":true,\"cutAfter\":0}", WSLIMAGE_ERROR_KIND_CONNECTION,
                      WSLIMAGE_STAGE_DOWNLOADING, begin);
  check_failing_layer("layer-reset", "{\"pass\":true,\"resetAfter\":0}", WSLIMAGE_ERROR_KIND_CONNECTION,
                      WSLIMAGE_STAGE_DOWNLOADING, begin);
  check_failing_layer("layer-short", "{\"body\":\"short\"}", WSLIMAGE_ERROR_KIND_INVALID_RESPONSE,
                      WSLIMAGE_STAGE_DOWNLOADING, begin);
}

static void a_layer_with_a_wrong_digest(void)
{
  char *layer = content_of(LAYER_LENGTH, 12);
  char *step = text("{\"body\":\"%s\"}", layer);
  check_failing_layer("layer-digest", step, WSLIMAGE_ERROR_KIND_DIGEST_MISMATCH, WSLIMAGE_STAGE_FINISHING,
                      "Downloaded file hash does not match expected hash. Expected: ");
  free(step);
  free(layer);
}

static void images_that_cannot_become_a_file(void)
{
  char *repository = repository_of("layers");
  add_platforms(repository, "{\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"},"
                            "\"layers\":[{\"text\":\"a\"},{\"text\":\"b\"}]}");
  wslimage_client *client = trusting_client();
  wslimage_image image = image_of(registry_https(), repository, "latest");
  wslimage_manifest *manifest = resolve(client, &image);
  char *path = path_of("layers");
  wslimage_error *error = pull_error(client, manifest, path);
  CHECK_NUMBER(wslimage_error_kind_of(error), WSLIMAGE_ERROR_KIND_UNSUPPORTED_IMAGE);
  CHECK_CONTAINS(wslimage_error_message(error), "is not a tar archive");
  wslimage_error_free(error);
  CHECK(nothing_at(path));
  free(path);
  wslimage_manifest_free(manifest);

  add_platforms(repository, "{\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"},\"layers\":[]}");
  CHECK_ERROR(resolve_error(client, &image), WSLIMAGE_ERROR_KIND_UNSUPPORTED_IMAGE, WSLIMAGE_STAGE_RESOLVING,
              "The image layers are missing");
  wslimage_client_free(client);
  free(repository);
}

static void destinations_that_cannot_be_written(void)
{
  char *repository = repository_of("destination");
  add_image(repository, NULL, "layer");
  wslimage_client *client = trusting_client();
  wslimage_image image = image_of(registry_https(), repository, "latest");
  wslimage_manifest *manifest = resolve(client, &image);
  char *file = path_of("a-file");
  char *below = path_of("a-file/below");
  char *empty = text("%s", "");
  CHECK(write_file(file, "content"));
  const char *const bad[] = {own_folder(), below, empty};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    wslimage_error *error = pull_error(client, manifest, bad[i]);
    CHECK_BEGINS(wslimage_error_message(error), "Failed to create destination file: ");
    CHECK_NUMBER(wslimage_error_kind_of(error), WSLIMAGE_ERROR_KIND_FILE);
    wslimage_error_free(error);
  }
  char *folder = path_of("read-only");
  if (make_read_only_folder(folder)) {
    char *path = text("%s/file", folder);
    wslimage_error *error = pull_error(client, manifest, path);
    CHECK_NUMBER(wslimage_error_kind_of(error), WSLIMAGE_ERROR_KIND_FILE);
    CHECK(wslimage_error_cause(error, 0) != NULL);
    wslimage_error_free(error);
    free(path);
  }
  wslimage_operation *operation = NULL;
  wslimage_error *error = NULL;
  CHECK_NUMBER(wslimage_pull_start(client, manifest, NULL, NULL, &operation, &error), WSLIMAGE_STATUS_INVALID_ARGUMENT);
  CHECK_ERROR(error, WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT, WSLIMAGE_STAGE_STARTING, "destination_path is NULL");
  CHECK_NUMBER(wslimage_pull_start(client, manifest, "\xff", NULL, &operation, &error), WSLIMAGE_STATUS_INVALID_ARGUMENT);
  CHECK_ERROR(error, WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT, WSLIMAGE_STAGE_STARTING, "destination_path is not UTF-8");
  CHECK(operation == NULL);

  free(folder);
  free(empty);
  free(below);
  free(file);
  wslimage_manifest_free(manifest);
  wslimage_client_free(client);
  free(repository);
}

void failure_tests(void)
{
  RUN(a_tag_that_is_not_there);
  RUN(too_many_requests);
  RUN(answers_of_all_sorts);
  RUN(no_image_for_the_platform);
  RUN(no_connection);
  RUN(layers_that_do_not_come_whole_leave_nothing_behind);
  RUN(a_layer_with_a_wrong_digest);
  RUN(images_that_cannot_become_a_file);
  RUN(destinations_that_cannot_be_written);
}
