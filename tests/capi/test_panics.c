/* A defect in the library reaches the caller as a status, and nobody else. */

#include "harness.h"
#include "platform.h"
#include "registry.h"

#ifdef WSLIMAGE_TEST_PANIC

static void in_a_call(void)
{
  wslimage_error *error = NULL;
  CHECK_NUMBER(wslimage_test_panic(&error), WSLIMAGE_STATUS_PANIC);
  CHECK_CONTAINS(wslimage_error_message(error), "test_panic.rs:");
  CHECK_ERROR(error, WSLIMAGE_ERROR_KIND_INTERNAL, WSLIMAGE_STAGE_STARTING,
              "A defect in the library: forced in a call");
  CHECK_NUMBER(wslimage_test_panic(NULL), WSLIMAGE_STATUS_PANIC);
}

static void check_panicked(wslimage_operation *operation, const char *message)
{
  wslimage_file *file = NULL;
  wslimage_error *error = NULL;
  CHECK_NUMBER(wslimage_operation_run(operation, NULL, NULL), WSLIMAGE_STATUS_PANIC);
  CHECK_NUMBER(wslimage_operation_take_file(operation, &file, NULL), WSLIMAGE_STATUS_PANIC);
  CHECK_NUMBER(wslimage_operation_take_file(operation, &file, &error), WSLIMAGE_STATUS_PANIC);
  CHECK(file == NULL);
  CHECK_NUMBER(wslimage_error_kind_of(error), WSLIMAGE_ERROR_KIND_INTERNAL);
  CHECK_CONTAINS(wslimage_error_message(error), message);
  wslimage_error_free(error);
  wslimage_operation_free(operation);
}

static void in_a_task(void)
{
  wslimage_operation *operation = NULL;
  wslimage_error *error = NULL;
  CHECK_NUMBER(wslimage_test_panic_task_start(&operation, &error), WSLIMAGE_STATUS_OK);
  CHECK(error == NULL);
  check_panicked(operation, "A defect in the library: forced in a task");
  CHECK_NUMBER(wslimage_test_panic_task_start(NULL, NULL), WSLIMAGE_STATUS_INVALID_ARGUMENT);
}

static void in_a_thread_beside_the_task(void)
{
  wslimage_operation *operation = NULL;
  CHECK_NUMBER(wslimage_test_panic_thread_start(&operation, NULL), WSLIMAGE_STATUS_OK);
  check_panicked(operation, "forced in a thread");
}

static void in_the_middle_of_a_download(void)
{
  char *repository = repository_of("panic");
  char *path = path_of("panic");
  add_image(repository, NULL, "layer");
  wslimage_client *client = trusting_client();
  wslimage_image image = image_of(registry_https(), repository, "latest");
  wslimage_manifest *manifest = resolve(client, &image);
  wslimage_operation *operation = NULL;
  CHECK_NUMBER(wslimage_test_panic_pull_start(client, manifest, path, &operation, NULL), WSLIMAGE_STATUS_OK);
  check_panicked(operation, "forced in an observer");
  CHECK(!file_exists(path));
  /* The same client goes on working, with the same file. */
  wslimage_file_free(pull(client, manifest, path));
  CHECK(file_holds(path, "layer", 5));
  remove(path);
  CHECK(nothing_at(path));
  wslimage_manifest_free(manifest);
  wslimage_client_free(client);
  free(path);
  free(repository);
}

static void nothing_is_printed(void)
{
  char *path = path_of("printed");
  capture_begin(path);
  wslimage_test_panic(NULL);
  wslimage_operation *operations[2] = {NULL, NULL};
  wslimage_test_panic_task_start(&operations[0], NULL);
  wslimage_test_panic_thread_start(&operations[1], NULL);
  for (int i = 0; i < 2; i++) {
    wslimage_operation_run(operations[i], NULL, NULL);
    wslimage_operation_free(operations[i]);
  }
  capture_end();
  CHECK(file_holds(path, "", 0));
  free(path);
}

void panic_tests(void)
{
  RUN(nothing_is_printed);
  RUN(in_a_call);
  RUN(in_a_task);
  RUN(in_a_thread_beside_the_task);
  RUN(in_the_middle_of_a_download);
}

#else

void panic_tests(void)
{
}

#endif
