/* The tags of a repository. */

#include "harness.h"
#include "registry.h"

static wslimage_tags *tags_of(wslimage_client *client, const wslimage_image *image, wslimage_status expected,
                              wslimage_error **error)
{
  wslimage_operation *operation = NULL;
  wslimage_tags *tags = NULL;
  CHECK_NUMBER(wslimage_tags_start(client, image, &operation, error), WSLIMAGE_STATUS_OK);
  CHECK_NUMBER(wslimage_operation_run(operation, NULL, NULL), expected);
  CHECK_NUMBER(wslimage_operation_take_tags(operation, &tags, error), expected);
  wslimage_operation_free(operation);
  return tags;
}

static void tags_come_in_the_registrys_order(void)
{
  char *repository = repository_of("tags");
  char *path = text("/v2/%s/tags/list", repository);
  add_image(repository, "{\"scheme\":\"bearer\",\"anonymous\":true}", "layer");
  add_route(path, "{\"status\":200,\"headers\":{\"Content-Type\":\"application/json\"},"
                  "\"body\":\"{\\\"name\\\":\\\"x\\\",\\\"tags\\\":[\\\"3.20\\\",\\\"latest\\\",\\\"3.1\\\"]}\"}");
  wslimage_client *client = trusting_client();
  wslimage_image image = image_of(registry_https(), repository, "not read");
  wslimage_error *error = NULL;
  wslimage_tags *tags = tags_of(client, &image, WSLIMAGE_STATUS_OK, &error);
  CHECK(error == NULL);
  CHECK_NUMBER(wslimage_tags_count(tags), 3);
  CHECK_TEXT(wslimage_tags_get(tags, 0), "3.20");
  CHECK_TEXT(wslimage_tags_get(tags, 1), "latest");
  CHECK_TEXT(wslimage_tags_get(tags, 2), "3.1");
  CHECK(wslimage_tags_get(tags, 3) == NULL);
  CHECK(wslimage_tags_get(tags, (size_t)-1) == NULL);
  wslimage_tags_free(tags);
  delete_route(path);

  /* By its whole name, and from the registry itself. */
  char *name = text("%s/%s:3.1", registry_https(), repository);
  image = image_of(NULL, name, NULL);
  tags = tags_of(client, &image, WSLIMAGE_STATUS_OK, &error);
  CHECK_NUMBER(wslimage_tags_count(tags), 1);
  CHECK_TEXT(wslimage_tags_get(tags, 0), "latest");
  wslimage_tags_free(tags);
  wslimage_client_free(client);
  free(name);
  free(path);
  free(repository);
}

static void a_repository_that_is_not_there_is_an_error(void)
{
  char *repository = repository_of("no-tags");
  wslimage_client *client = trusting_client();
  wslimage_image image = image_of(registry_https(), repository, NULL);
  wslimage_error *error = NULL;
  CHECK(tags_of(client, &image, WSLIMAGE_STATUS_FAILED, &error) == NULL);
  CHECK_NUMBER(wslimage_error_kind_of(error), WSLIMAGE_ERROR_KIND_NOT_FOUND);
  CHECK_NUMBER(wslimage_error_http_status(error), 404);
  wslimage_error_free(error);

  wslimage_operation *operation = NULL;
  image.name = "A/B";
  CHECK_NUMBER(wslimage_tags_start(client, &image, &operation, &error), WSLIMAGE_STATUS_FAILED);
  CHECK(operation == NULL);
  CHECK_ERROR(error, WSLIMAGE_ERROR_KIND_INVALID_REFERENCE, WSLIMAGE_STAGE_STARTING, "Invalid image reference \"A/B\"");
  wslimage_client_free(client);
  free(repository);
}

static void tags_are_taken_once_and_from_their_own_operation(void)
{
  char *repository = repository_of("tags-once");
  add_image(repository, NULL, "layer");
  wslimage_client *client = trusting_client();
  wslimage_image image = image_of(registry_https(), repository, NULL);
  wslimage_operation *operation = NULL;
  wslimage_tags *tags = NULL;
  wslimage_token *token = NULL;
  CHECK_NUMBER(wslimage_tags_start(client, &image, &operation, NULL), WSLIMAGE_STATUS_OK);
  CHECK_NUMBER(wslimage_operation_run(operation, NULL, NULL), WSLIMAGE_STATUS_OK);
  CHECK_NUMBER(wslimage_operation_take_token(operation, &token, NULL), WSLIMAGE_STATUS_INVALID_ARGUMENT);
  CHECK_NUMBER(wslimage_operation_take_tags(operation, &tags, NULL), WSLIMAGE_STATUS_OK);
  wslimage_tags_free(tags);
  CHECK_NUMBER(wslimage_operation_take_tags(operation, &tags, NULL), WSLIMAGE_STATUS_INVALID_ARGUMENT);
  CHECK(tags == NULL);
  wslimage_operation_free(operation);
  wslimage_client_free(client);
  free(repository);
}

void tag_tests(void)
{
  RUN(tags_come_in_the_registrys_order);
  RUN(a_repository_that_is_not_there_is_an_error);
  RUN(tags_are_taken_once_and_from_their_own_operation);
}
