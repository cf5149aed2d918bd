/* Several threads with one client. */

#include "harness.h"
#include "platform.h"
#include "registry.h"

enum { THREADS = 8, LAYER_LENGTH = 150000 };

struct puller {
  wslimage_client *client;
  const char *repository;
  const char *layer;
  int number;
  bool good;
};

/* Checks are told by the main thread. */
static void pull_one(void *argument)
{
  struct puller *puller = argument;
  wslimage_image image = image_of(registry_https(), puller->repository, "latest");
  wslimage_operation *operation = NULL;
  wslimage_manifest *manifest = NULL;
  wslimage_file *file = NULL;
  char *name = text("thread-%d", puller->number);
  char *path = path_of(name);

  puller->good = wslimage_manifest_start(puller->client, &image, &operation, NULL) == WSLIMAGE_STATUS_OK &&
                 wslimage_operation_run(operation, NULL, NULL) == WSLIMAGE_STATUS_OK &&
                 wslimage_operation_take_manifest(operation, &manifest, NULL) == WSLIMAGE_STATUS_OK;
  wslimage_operation_free(operation);
  operation = NULL;
  puller->good = puller->good &&
                 wslimage_pull_start(puller->client, manifest, path, NULL, &operation, NULL) == WSLIMAGE_STATUS_OK &&
                 wslimage_operation_run(operation, NULL, NULL) == WSLIMAGE_STATUS_OK &&
                 wslimage_operation_take_file(operation, &file, NULL) == WSLIMAGE_STATUS_OK &&
                 file_holds(path, puller->layer, LAYER_LENGTH);
  wslimage_operation_free(operation);
  wslimage_file_free(file);
  wslimage_manifest_free(manifest);
  free(path);
  free(name);
}

static void several_threads_share_a_client_and_its_token(void)
{
  char *repository = repository_of("threads");
  char *layer = content_of(LAYER_LENGTH, 31);
  struct puller pullers[THREADS];
  thread *threads[THREADS];
  add_image(repository, "{\"scheme\":\"bearer\",\"anonymous\":true}", layer);
  wslimage_client *client = trusting_client();
  for (int i = 0; i < THREADS; i++) {
    pullers[i] = (struct puller){client, repository, layer, i, false};
    threads[i] = thread_start(pull_one, &pullers[i]);
  }
  for (int i = 0; i < THREADS; i++) {
    thread_join(threads[i]);
    CHECK(pullers[i].good);
  }
  CHECK_NUMBER(count_requests("/token", strrchr(repository, '/') + 1), 1);
  wslimage_client_free(client);
  free(layer);
  free(repository);
}

static void pulls_to_one_file_wait_for_each_other(void)
{
  char *repository = repository_of("one-file");
  char *layer = content_of(LAYER_LENGTH, 32);
  char *path = path_of("one-file");
  wslimage_operation *operations[4];
  add_image(repository, NULL, layer);
  wslimage_client *client = trusting_client();
  wslimage_image image = image_of(registry_https(), repository, "latest");
  wslimage_manifest *manifest = resolve(client, &image);
  for (int i = 0; i < 4; i++) operations[i] = start_pull(client, manifest, path);
  for (int i = 0; i < 4; i++) {
    CHECK_NUMBER(wslimage_operation_run(operations[i], NULL, NULL), WSLIMAGE_STATUS_OK);
    wslimage_operation_free(operations[i]);
  }
  CHECK(file_holds(path, layer, LAYER_LENGTH));
  remove(path);
  CHECK(nothing_at(path));
  wslimage_manifest_free(manifest);
  wslimage_client_free(client);
  free(path);
  free(layer);
  free(repository);
}

void thread_tests(void)
{
  RUN(several_threads_share_a_client_and_its_token);
  RUN(pulls_to_one_file_wait_for_each_other);
}
