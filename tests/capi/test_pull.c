/* An image becomes a file, by each way to the registry. */

#include "harness.h"
#include "platform.h"
#include "registry.h"

enum { LAYER_LENGTH = 300000 };

struct seen {
  int calls;
  int calls_of_stage[6];
  uint64_t thread;
  bool on_another_thread;
  bool went_back;
  wslimage_progress last;
};

static int32_t see(void *userdata, const wslimage_progress *progress)
{
  struct seen *seen = userdata;
  seen->calls++;
  if (thread_id() != seen->thread) seen->on_another_thread = true;
  if (progress->stage < seen->last.stage || progress->bytes_done < seen->last.bytes_done) seen->went_back = true;
  if (progress->stage < 6) seen->calls_of_stage[progress->stage]++;
  seen->last = *progress;
  return 0;
}

static struct seen nothing_seen(void)
{
  struct seen seen;
  memset(&seen, 0, sizeof seen);
  seen.thread = thread_id();
  return seen;
}

/* Resolves and pulls, with all that is told on the way. */
static void pull_and_compare(wslimage_client *client, const wslimage_image *image, const char *layer, const char *name)
{
  struct seen seen = nothing_seen();
  char *path = path_of(name);
  wslimage_manifest *manifest = resolve(client, image);
  wslimage_operation *operation = start_pull(client, manifest, path);
  wslimage_file *file = NULL;
  wslimage_error *error = NULL;

  CHECK_NUMBER(wslimage_operation_run(operation, see, &seen), WSLIMAGE_STATUS_OK);
  CHECK(seen.calls > 0 && !seen.on_another_thread && !seen.went_back);
  CHECK_NUMBER(seen.last.size, sizeof seen.last);
  CHECK_NUMBER(seen.last.stage, WSLIMAGE_STAGE_DONE);
  CHECK_NUMBER(seen.last.layer_count, 1);
  CHECK_NUMBER(seen.last.layer, 0);
  CHECK_NUMBER(seen.last.bytes_done, strlen(layer));
  CHECK_NUMBER(seen.last.bytes_total, strlen(layer));
  CHECK_NUMBER(seen.calls_of_stage[WSLIMAGE_STAGE_DONE], 1);

  CHECK_NUMBER(wslimage_operation_take_file(operation, &file, &error), WSLIMAGE_STATUS_OK);
  CHECK(error == NULL);
  CHECK_TEXT(wslimage_file_digest(file), wslimage_manifest_layer_digest(manifest, 0));
  CHECK_NUMBER(wslimage_file_size(file), strlen(layer));
  CHECK(file_exists(wslimage_file_path(file)));
  CHECK(file_holds(path, layer, strlen(layer)));
  wslimage_operation_free(operation);
  wslimage_file_free(file);
  wslimage_manifest_free(manifest);
  remove(path);
  CHECK(nothing_at(path));
  free(path);
}

static void over_tls_with_a_token(void)
{
  char *repository = repository_of("tls");
  char *layer = content_of(LAYER_LENGTH, 1);
  add_image(repository, "{\"scheme\":\"bearer\",\"anonymous\":true}", layer);
  wslimage_client_options options = client_options();
  options.ca_certificate_path = registry_ca();
  options.user_agent = "CProgram/1.0";
  wslimage_client *client = client_with(&options);
  wslimage_image image = image_of(registry_https(), repository, "latest");
  pull_and_compare(client, &image, layer, "tls");

  char *path = text("/v2/%s/", repository);
  char *agent = text("WslImage/%s CProgram/1.0", wslimage_version());
  CHECK(count_requests(path, agent) > 0);
  free(agent);
  free(path);
  wslimage_client_free(client);
  free(layer);
  free(repository);
}

static void over_plain_http_on_this_machine(void)
{
  char *repository = repository_of("http");
  char *layer = content_of(LAYER_LENGTH, 2);
  add_image(repository, NULL, layer);
  wslimage_image image = image_of(registry_http(), repository, "latest");
  wslimage_client *client = client_with(NULL);
  pull_and_compare(client, &image, layer, "http");
  wslimage_client_free(client);

  wslimage_client_options options = client_options();
  options.plain_http = true;
  client = client_with(&options);
  pull_and_compare(client, &image, layer, "http-asked-for");
  wslimage_client_free(client);
  free(layer);
  free(repository);
}

static void by_any_certificate_where_that_is_asked_for(void)
{
  char *repository = repository_of("any-certificate");
  add_image(repository, NULL, "layer");
  wslimage_client_options options = client_options();
  options.skip_certificate_check = true;
  wslimage_client *client = client_with(&options);
  wslimage_image image = image_of(registry_https(), repository, "latest");
  pull_and_compare(client, &image, "layer", "any-certificate");
  wslimage_client_free(client);
  free(repository);
}

static void by_a_whole_reference_or_a_digest(void)
{
  char *repository = repository_of("reference");
  char *layer = content_of(1000, 3);
  add_image(repository, NULL, layer);
  wslimage_client *client = trusting_client();

  char *name = text("%s/%s:latest", registry_https(), repository);
  wslimage_image image = image_of(NULL, name, NULL);
  pull_and_compare(client, &image, layer, "reference");
  wslimage_manifest *manifest = resolve(client, &image);
  CHECK_TEXT(wslimage_manifest_reference(manifest), name);

  char *without_tag = text("%s/%s", registry_https(), repository);
  image = image_of(NULL, without_tag, NULL);
  pull_and_compare(client, &image, layer, "reference");
  image = image_of(NULL, without_tag, "latest");
  pull_and_compare(client, &image, layer, "reference");
  image = image_of(registry_https(), repository, NULL);
  pull_and_compare(client, &image, layer, "reference");
  image = image_of(registry_https(), repository, wslimage_manifest_digest(manifest));
  pull_and_compare(client, &image, layer, "digest");

  wslimage_manifest_free(manifest);
  wslimage_client_free(client);
  free(without_tag);
  free(name);
  free(layer);
  free(repository);
}

static void an_older_file_is_replaced_wholly_and_folders_are_made(void)
{
  char *repository = repository_of("replace");
  add_image(repository, NULL, "short layer");
  wslimage_client *client = trusting_client();
  wslimage_image image = image_of(registry_https(), repository, "latest");
  wslimage_manifest *manifest = resolve(client, &image);

  char *path = path_of("replaced");
  char *older = content_of(5000, 4);
  CHECK(write_file(path, older));
  wslimage_file_free(pull(client, manifest, path));
  CHECK(file_holds(path, "short layer", 11));

  char *deep = path_of("new/folder/of-\xc3\xa4\xe2\x82\xac/file");
  wslimage_file *file = pull(client, manifest, deep);
  CHECK_CONTAINS(wslimage_file_path(file), "of-\xc3\xa4\xe2\x82\xac");
  wslimage_file_free(file);

  wslimage_manifest_free(manifest);
  wslimage_client_free(client);
  free(deep);
  free(older);
  free(path);
  free(repository);
}

static void results_outlive_what_they_came_from(void)
{
  char *repository = repository_of("outlive");
  char *layer = content_of(LAYER_LENGTH, 5);
  add_image(repository, NULL, layer);
  wslimage_client *client = trusting_client();
  wslimage_image image = image_of(registry_https(), repository, "latest");
  wslimage_manifest *manifest = resolve(client, &image);
  char *path = path_of("outlive");
  wslimage_operation *operation = start_pull(client, manifest, path);
  /* The operation has what it needs of them. */
  wslimage_client_free(client);
  wslimage_manifest_free(manifest);
  CHECK_NUMBER(wslimage_operation_run(operation, NULL, NULL), WSLIMAGE_STATUS_OK);
  wslimage_file *file = NULL;
  CHECK_NUMBER(wslimage_operation_take_file(operation, &file, NULL), WSLIMAGE_STATUS_OK);
  wslimage_operation_free(operation);
  CHECK(file_holds(path, layer, LAYER_LENGTH));
  CHECK_BEGINS(wslimage_file_digest(file), "sha256:");
  wslimage_file_free(file);
  free(path);
  free(layer);
  free(repository);
}

static void a_result_is_taken_once_and_by_its_own_function(void)
{
  char *repository = repository_of("take");
  add_image(repository, NULL, "layer");
  wslimage_client *client = trusting_client();
  wslimage_image image = image_of(registry_https(), repository, "latest");
  wslimage_operation *operation = NULL;
  wslimage_manifest *manifest = NULL;
  wslimage_token *token = NULL;
  wslimage_file *file = NULL;
  wslimage_error *error = NULL;

  CHECK_NUMBER(wslimage_manifest_start(client, &image, &operation, &error), WSLIMAGE_STATUS_OK);
  CHECK_NUMBER(wslimage_operation_take_token(operation, &token, &error), WSLIMAGE_STATUS_INVALID_ARGUMENT);
  CHECK_ERROR(error, WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT, WSLIMAGE_STAGE_STARTING, "The operation has a result");
  CHECK_NUMBER(wslimage_operation_run(operation, NULL, NULL), WSLIMAGE_STATUS_OK);
  CHECK_NUMBER(wslimage_operation_take_file(operation, &file, &error), WSLIMAGE_STATUS_INVALID_ARGUMENT);
  CHECK_ERROR(error, WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT, WSLIMAGE_STAGE_STARTING, "The operation has a result");
  CHECK_NUMBER(wslimage_operation_take_manifest(operation, NULL, NULL), WSLIMAGE_STATUS_INVALID_ARGUMENT);

  CHECK_NUMBER(wslimage_operation_take_manifest(operation, &manifest, &error), WSLIMAGE_STATUS_OK);
  CHECK(manifest != NULL && error == NULL);
  wslimage_manifest *second = manifest;
  CHECK_NUMBER(wslimage_operation_take_manifest(operation, &second, &error), WSLIMAGE_STATUS_INVALID_ARGUMENT);
  CHECK(second == NULL);
  CHECK_ERROR(error, WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT, WSLIMAGE_STAGE_STARTING, "The operation's result was taken");
  CHECK_NUMBER(wslimage_operation_run(operation, NULL, NULL), WSLIMAGE_STATUS_OK);
  CHECK_NUMBER(wslimage_operation_wait(operation, 0), WSLIMAGE_STATUS_OK);
  wslimage_operation_free(operation);

  /* One that is not taken goes with its operation. */
  CHECK_NUMBER(wslimage_token_start(client, &image, &operation, &error), WSLIMAGE_STATUS_OK);
  CHECK_NUMBER(wslimage_operation_take_manifest(operation, &second, NULL), WSLIMAGE_STATUS_INVALID_ARGUMENT);
  CHECK_NUMBER(wslimage_operation_run(operation, NULL, NULL), WSLIMAGE_STATUS_OK);
  wslimage_operation_free(operation);
  operation = start_pull(client, manifest, "unused-folder-that-is-not-made/file");
  CHECK_NUMBER(wslimage_operation_take_token(operation, &token, NULL), WSLIMAGE_STATUS_INVALID_ARGUMENT);
  CHECK_NUMBER(wslimage_operation_cancel(operation), WSLIMAGE_STATUS_OK);
  wslimage_operation_free(operation);

  wslimage_manifest_free(manifest);
  wslimage_client_free(client);
  free(repository);
}

static void notices_are_kept_in_their_order_until_the_end(void)
{
  char *repository = repository_of("notices");
  add_image(repository, "{\"scheme\":\"bearer\",\"anonymous\":true}", "layer");
  wslimage_client *client = trusting_client();
  wslimage_image image = image_of(registry_https(), repository, "latest");
  wslimage_operation *operation = NULL;
  CHECK_NUMBER(wslimage_manifest_start(client, &image, &operation, NULL), WSLIMAGE_STATUS_OK);
  CHECK_NUMBER(wslimage_operation_run(operation, NULL, NULL), WSLIMAGE_STATUS_OK);

  wslimage_progress progress;
  progress.size = sizeof progress;
  REQUIRE(wslimage_operation_progress(operation, &progress) == WSLIMAGE_STATUS_OK);
  CHECK(progress.notice_count >= 2);
  uint32_t kind = 0;
  uint32_t stage = 0;
  const char *first = wslimage_operation_notice(operation, 0, &kind, &stage);
  CHECK_NUMBER(kind, WSLIMAGE_NOTICE_KIND_VERBOSE);
  CHECK_NUMBER(stage, WSLIMAGE_STAGE_AUTHENTICATING);
  CHECK_BEGINS(first, "Getting docker authentication token for registry ");
  bool is_resolving = false;
  for (uint64_t i = 0; i < progress.notice_count; i++) {
    const char *line = wslimage_operation_notice(operation, i, NULL, &stage);
    is_resolving |= line && strncmp(line, "Getting docker image manifest https://", 38) == 0;
    CHECK_NUMBER(stage, is_resolving ? WSLIMAGE_STAGE_RESOLVING : WSLIMAGE_STAGE_AUTHENTICATING);
  }
  CHECK(is_resolving);
  CHECK(wslimage_operation_notice(operation, 0, &kind, NULL) == first);
  CHECK(wslimage_operation_notice(operation, progress.notice_count, &kind, &stage) == NULL);
  CHECK_NUMBER(kind, 0);
  CHECK_NUMBER(stage, 0);
  CHECK(wslimage_operation_notice(operation, UINT64_MAX, NULL, NULL) == NULL);

  wslimage_operation_free(operation);
  wslimage_client_free(client);
  free(repository);
}

static void progress_is_told_to_callers_of_any_version(void)
{
  char *repository = repository_of("progress");
  add_image(repository, NULL, "layer");
  wslimage_client *client = trusting_client();
  wslimage_image image = image_of(registry_https(), repository, "latest");
  wslimage_manifest *manifest = resolve(client, &image);
  char *path = path_of("progress");
  wslimage_operation *operation = start_pull(client, manifest, path);
  CHECK_NUMBER(wslimage_operation_run(operation, NULL, NULL), WSLIMAGE_STATUS_OK);

  struct {
    wslimage_progress known;
    uint64_t beyond;
  } newer;
  memset(&newer, 0xff, sizeof newer);
  newer.known.size = sizeof newer;
  CHECK_NUMBER(wslimage_operation_progress(operation, &newer.known), WSLIMAGE_STATUS_OK);
  CHECK_NUMBER(newer.known.size, sizeof newer);
  CHECK_NUMBER(newer.known.stage, WSLIMAGE_STAGE_DONE);
  CHECK_NUMBER(newer.known.bytes_done, 5);
  CHECK_NUMBER(newer.known.bytes_total, 5);
  CHECK_NUMBER(newer.beyond, 0);

  wslimage_progress older;
  memset(&older, 0xff, sizeof older);
  older.size = offsetof(wslimage_progress, bytes_total);
  CHECK_NUMBER(wslimage_operation_progress(operation, &older), WSLIMAGE_STATUS_OK);
  CHECK_NUMBER(older.bytes_done, 5);
  CHECK(older.bytes_total == UINT64_MAX && older.notice_count == UINT64_MAX);
  const size_t sizes[] = {0, 1, 4104, (size_t)-8};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    older.size = sizes[i];
    CHECK_NUMBER(wslimage_operation_progress(operation, &older), WSLIMAGE_STATUS_INVALID_ARGUMENT);
  }
  CHECK_NUMBER(wslimage_operation_progress(operation, NULL), WSLIMAGE_STATUS_INVALID_ARGUMENT);

  wslimage_operation_free(operation);
  wslimage_manifest_free(manifest);
  wslimage_client_free(client);
  free(path);
  free(repository);
}

void pull_tests(void)
{
  RUN(over_tls_with_a_token);
  RUN(over_plain_http_on_this_machine);
  RUN(by_any_certificate_where_that_is_asked_for);
  RUN(by_a_whole_reference_or_a_digest);
  RUN(an_older_file_is_replaced_wholly_and_folders_are_made);
  RUN(results_outlive_what_they_came_from);
  RUN(a_result_is_taken_once_and_by_its_own_function);
  RUN(notices_are_kept_in_their_order_until_the_end);
  RUN(progress_is_told_to_callers_of_any_version);
}
