/* Ending an operation before its end. */

#include "harness.h"
#include "platform.h"
#include "registry.h"

enum { LAYER_LENGTH = 200000, PROMPT_MS = 200, ATTEMPTS = 5 };

/* How long the slowest has taken in an attempt. */
static int64_t slowest_ms;

static void note_since(int64_t begin, int64_t end)
{
  if (end - begin > slowest_ms) slowest_ms = end - begin;
}

/* A machine may stand still for a moment, but not each time: one attempt in which all were prompt is enough. */
static void check_prompt(void (*attempt)(void))
{
  for (int i = 0; i < ATTEMPTS; i++) {
    slowest_ms = 0;
    attempt();
    if (slowest_ms < PROMPT_MS || !time_matters()) return;
    printf("  attempt %d took %lld ms\n", i + 1, (long long)slowest_ms);
  }
  CHECK(slowest_ms < PROMPT_MS);
}

/* A download that stops in the middle for ever. */
struct stalling {
  char *repository, *path;
  wslimage_client *client;
  wslimage_manifest *manifest;
  wslimage_operation *operation;
};

static struct stalling start_stalling(const char *name)
{
  struct stalling stalling;
  char *layer = content_of(LAYER_LENGTH, 21);
  stalling.repository = repository_of(name);
  stalling.path = path_of(name);
  add_image_with_layer_step(stalling.repository, layer, "{\"pass\":true,\"stallAfter\":100000}");
  stalling.client = trusting_client();
  wslimage_image image = image_of(registry_https(), stalling.repository, "latest");
  stalling.manifest = resolve(stalling.client, &image);
  stalling.operation = start_pull(stalling.client, stalling.manifest, stalling.path);
  free(layer);
  return stalling;
}

static void end_stalling(struct stalling *stalling)
{
  wslimage_operation_free(stalling->operation);
  CHECK(nothing_at(stalling->path));
  wslimage_manifest_free(stalling->manifest);
  wslimage_client_free(stalling->client);
  free(stalling->path);
  free(stalling->repository);
}

static void check_cancelled(wslimage_operation *operation)
{
  wslimage_file *file = NULL;
  wslimage_error *error = NULL;
  CHECK_NUMBER(wslimage_operation_take_file(operation, &file, &error), WSLIMAGE_STATUS_CANCELLED);
  CHECK(file == NULL);
  CHECK_NUMBER(wslimage_error_kind_of(error), WSLIMAGE_ERROR_KIND_CANCELLED);
  wslimage_error_free(error);
}

static void what_still_runs_is_pending(void)
{
  struct stalling stalling = start_stalling("pending");
  wslimage_file *file = NULL;
  wslimage_error *error = NULL;
  CHECK(wait_for_bytes(stalling.operation));
  CHECK_NUMBER(wslimage_operation_wait(stalling.operation, 0), WSLIMAGE_STATUS_PENDING);
  int64_t begin = now_ms();
  CHECK_NUMBER(wslimage_operation_wait(stalling.operation, 50), WSLIMAGE_STATUS_PENDING);
  CHECK(now_ms() - begin >= 49);
  CHECK_NUMBER(wslimage_operation_take_file(stalling.operation, &file, &error), WSLIMAGE_STATUS_PENDING);
  CHECK(file == NULL && error == NULL);
  CHECK(!file_exists(stalling.path));

  wslimage_progress progress;
  progress.size = sizeof progress;
  CHECK_NUMBER(wslimage_operation_progress(stalling.operation, &progress), WSLIMAGE_STATUS_OK);
  CHECK_NUMBER(progress.stage, WSLIMAGE_STAGE_DOWNLOADING);
  CHECK_NUMBER(progress.layer_count, 1);
  CHECK_NUMBER(progress.bytes_total, LAYER_LENGTH);
  CHECK(progress.bytes_done <= 100000);
  /* Ended while it runs: nothing is left of it. */
  end_stalling(&stalling);
}

struct counted {
  int calls, calls_after_cancel;
  bool is_cancelled;
};

static int32_t cancel_while_downloading(void *userdata, const wslimage_progress *progress)
{
  struct counted *counted = userdata;
  counted->calls++;
  if (counted->is_cancelled) counted->calls_after_cancel++;
  counted->is_cancelled = progress->bytes_done > 0;
  return counted->is_cancelled;
}

static void a_callback_cancels(void)
{
  struct stalling stalling = start_stalling("callback");
  struct counted counted = {0, 0, false};
  CHECK_NUMBER(wslimage_operation_run(stalling.operation, cancel_while_downloading, &counted),
               WSLIMAGE_STATUS_CANCELLED);
  CHECK(counted.calls > 0 && counted.is_cancelled);
  CHECK_NUMBER(counted.calls_after_cancel, 0);
  CHECK(nothing_at(stalling.path));
  check_cancelled(stalling.operation);
  check_cancelled(stalling.operation);
  CHECK_NUMBER(wslimage_operation_run(stalling.operation, NULL, NULL), WSLIMAGE_STATUS_CANCELLED);
  end_stalling(&stalling);
}

static int32_t cancel_at_once(void *userdata, const wslimage_progress *progress)
{
  (void)progress;
  ++*(int *)userdata;
  return -1;
}

static void a_callback_is_called_at_once(void)
{
  struct stalling stalling = start_stalling("at-once");
  int calls = 0;
  CHECK_NUMBER(wslimage_operation_run(stalling.operation, cancel_at_once, &calls), WSLIMAGE_STATUS_CANCELLED);
  CHECK_NUMBER(calls, 1);
  end_stalling(&stalling);
}

/* A callback may use the operation that it is told of. */
struct reentrant {
  wslimage_operation *operation;
  int calls;
};

static int32_t use_the_operation(void *userdata, const wslimage_progress *progress)
{
  struct reentrant *reentrant = userdata;
  wslimage_progress own;
  wslimage_file *file = NULL;
  own.size = sizeof own;
  reentrant->calls++;
  CHECK_NUMBER(wslimage_operation_progress(reentrant->operation, &own), WSLIMAGE_STATUS_OK);
  CHECK(own.bytes_done >= progress->bytes_done);
  wslimage_status ended = wslimage_operation_wait(reentrant->operation, 0);
  CHECK(ended == WSLIMAGE_STATUS_OK || ended == WSLIMAGE_STATUS_PENDING);
  for (uint64_t i = 0; i < progress->notice_count; i++) {
    CHECK(wslimage_operation_notice(reentrant->operation, i, NULL, NULL) != NULL);
  }
  /* It may end between the two calls. */
  wslimage_status taken = wslimage_operation_take_file(reentrant->operation, &file, NULL);
  CHECK(taken == WSLIMAGE_STATUS_CANCELLED || (ended == WSLIMAGE_STATUS_PENDING && taken == WSLIMAGE_STATUS_PENDING));
  if (progress->bytes_done > 0) CHECK_NUMBER(wslimage_operation_cancel(reentrant->operation), WSLIMAGE_STATUS_OK);
  return 0;
}

static void a_callback_may_use_its_operation(void)
{
  struct stalling stalling = start_stalling("reentrant");
  CHECK(wait_for_bytes(stalling.operation));
  struct reentrant reentrant = {stalling.operation, 0};
  CHECK_NUMBER(wslimage_operation_run(stalling.operation, use_the_operation, &reentrant), WSLIMAGE_STATUS_CANCELLED);
  CHECK(reentrant.calls > 0);
  end_stalling(&stalling);
}

struct waiter {
  wslimage_operation *operation;
  bool waits_by_run;
  wslimage_status status;
  int64_t ended_at;
};

static void wait_for_the_end(void *argument)
{
  struct waiter *waiter = argument;
  waiter->status = waiter->waits_by_run ? wslimage_operation_run(waiter->operation, NULL, NULL)
                                        : wslimage_operation_wait(waiter->operation, UINT32_MAX);
  waiter->ended_at = now_ms();
}

/* Cancels while others wait; all of them are told soon. */
static void cancel_under_waiters(wslimage_operation *operation)
{
  struct waiter waiters[4];
  thread *threads[4];
  for (int i = 0; i < 4; i++) {
    waiters[i].operation = operation;
    waiters[i].waits_by_run = i % 2 == 0;
    threads[i] = thread_start(wait_for_the_end, &waiters[i]);
  }
  int64_t begin = now_ms();
  CHECK_NUMBER(wslimage_operation_cancel(operation), WSLIMAGE_STATUS_OK);
  CHECK_NUMBER(wslimage_operation_cancel(operation), WSLIMAGE_STATUS_OK);
  for (int i = 0; i < 4; i++) {
    thread_join(threads[i]);
    CHECK_NUMBER(waiters[i].status, waiters[i].waits_by_run ? WSLIMAGE_STATUS_CANCELLED : WSLIMAGE_STATUS_OK);
    note_since(begin, waiters[i].ended_at);
  }
}

static void cancel_while_a_layer_stalls(void)
{
  struct stalling stalling = start_stalling("stall-layer");
  CHECK(wait_for_bytes(stalling.operation));
  cancel_under_waiters(stalling.operation);
  CHECK(nothing_at(stalling.path));
  check_cancelled(stalling.operation);
  end_stalling(&stalling);
}

/* Stalls before any byte of the answer to this path; it is then cancelled, and freed. */
static void cancel_while_stalling_at(const char *path, const char *repository, bool as_token)
{
  for (int times = 0; times < 2; times++) {
    registry_tell("DELETE", "/log?path=/v2/capi/stall-", text("%s", ""));
    registry_tell("DELETE", "/log?path=/token/stall-", text("%s", ""));
    add_route(path, "{\"closeBeforeResponse\":true,\"stallAfter\":0}");
    wslimage_client *client = trusting_client();
    wslimage_image image = image_of(registry_https(), repository, "latest");
    wslimage_operation *operation = NULL;
    if (as_token) {
      CHECK_NUMBER(wslimage_token_start(client, &image, &operation, NULL), WSLIMAGE_STATUS_OK);
    } else {
      CHECK_NUMBER(wslimage_manifest_start(client, &image, &operation, NULL), WSLIMAGE_STATUS_OK);
    }
    wait_for_request(path);
    CHECK_NUMBER(wslimage_operation_wait(operation, 0), WSLIMAGE_STATUS_PENDING);
    if (times == 0) cancel_under_waiters(operation);
    int64_t begin = now_ms();
    wslimage_operation_free(operation);
    note_since(begin, now_ms());
    wslimage_client_free(client);
    delete_route(path);
  }
}

static void cancel_while_a_manifest_stalls(void)
{
  char *repository = repository_of("stall-manifest");
  char *path = text("/v2/%s/manifests/latest", repository);
  add_image(repository, NULL, "layer");
  cancel_while_stalling_at(path, repository, false);
  cancel_while_stalling_at(path, repository, true);
  free(path);
  free(repository);
}

static void cancel_while_a_token_service_stalls(void)
{
  char *repository = repository_of("stall-token");
  char *path = text("/token/stall-%s", run_id());
  char *auth = text("{\"scheme\":\"bearer\",\"realm\":\"https://%s%s\"}", registry_https(), path);
  add_image(repository, auth, "layer");
  cancel_while_stalling_at(path, repository, false);
  cancel_while_stalling_at(path, repository, true);
  free(auth);
  free(path);
  free(repository);
}

static void cancel_from_another_thread_while_a_layer_stalls(void)
{
  check_prompt(cancel_while_a_layer_stalls);
}

static void cancel_from_another_thread_while_a_manifest_stalls(void)
{
  check_prompt(cancel_while_a_manifest_stalls);
}

static void cancel_from_another_thread_while_a_token_service_stalls(void)
{
  check_prompt(cancel_while_a_token_service_stalls);
}

static void what_has_ended_stays_as_it_ended(void)
{
  char *repository = repository_of("ended");
  add_image(repository, NULL, "layer");
  wslimage_client *client = trusting_client();
  wslimage_image image = image_of(registry_https(), repository, "latest");
  wslimage_operation *operation = NULL;
  wslimage_manifest *manifest = NULL;
  CHECK_NUMBER(wslimage_manifest_start(client, &image, &operation, NULL), WSLIMAGE_STATUS_OK);
  CHECK_NUMBER(wslimage_operation_wait(operation, UINT32_MAX), WSLIMAGE_STATUS_OK);
  CHECK_NUMBER(wslimage_operation_cancel(operation), WSLIMAGE_STATUS_OK);
  int calls = 0;
  CHECK_NUMBER(wslimage_operation_run(operation, cancel_at_once, &calls), WSLIMAGE_STATUS_OK);
  CHECK_NUMBER(calls, 1);
  CHECK_NUMBER(wslimage_operation_take_manifest(operation, &manifest, NULL), WSLIMAGE_STATUS_OK);
  wslimage_manifest_free(manifest);
  wslimage_operation_free(operation);
  wslimage_client_free(client);
  free(repository);
}

void cancel_tests(void)
{
  RUN(what_still_runs_is_pending);
  RUN(a_callback_cancels);
  RUN(a_callback_is_called_at_once);
  RUN(a_callback_may_use_its_operation);
  RUN(cancel_from_another_thread_while_a_layer_stalls);
  RUN(cancel_from_another_thread_while_a_manifest_stalls);
  RUN(cancel_from_another_thread_while_a_token_service_stalls);
  RUN(what_has_ended_stays_as_it_ended);
}
