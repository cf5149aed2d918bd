/* Tokens and passwords. */

#include "harness.h"
#include "registry.h"

static wslimage_token *token_of(wslimage_client *client, const wslimage_image *image, wslimage_status expected,
                                wslimage_error **error)
{
  wslimage_operation *operation = NULL;
  wslimage_token *token = NULL;
  CHECK_NUMBER(wslimage_token_start(client, image, &operation, error), WSLIMAGE_STATUS_OK);
  CHECK_NUMBER(wslimage_operation_run(operation, NULL, NULL), expected);
  CHECK_NUMBER(wslimage_operation_take_token(operation, &token, error), expected);
  wslimage_operation_free(operation);
  return token;
}

static void a_token_that_was_got_opens_the_image(void)
{
  char *repository = repository_of("token");
  add_image(repository, "{\"scheme\":\"bearer\",\"anonymous\":true}", "layer");
  wslimage_client *client = trusting_client();
  wslimage_image image = image_of(registry_https(), repository, NULL);
  wslimage_error *error = NULL;
  wslimage_token *token = token_of(client, &image, WSLIMAGE_STATUS_OK, &error);
  CHECK(token != NULL && error == NULL);
  CHECK(wslimage_token_value(token) && strlen(wslimage_token_value(token)) > 8);

  /* Another client, which has got no token itself. */
  wslimage_client *other = trusting_client();
  image = image_of(registry_https(), repository, "latest");
  image.auth_token = wslimage_token_value(token);
  wslimage_manifest *manifest = resolve(other, &image);
  char *path = path_of("token");
  wslimage_file_free(pull(other, manifest, path));
  CHECK(file_holds(path, "layer", 5));
  /* In the query the slash is escaped. */
  CHECK_NUMBER(count_requests("/token", strrchr(repository, '/') + 1), 1);

  free(path);
  wslimage_manifest_free(manifest);
  wslimage_client_free(other);
  wslimage_token_free(token);
  wslimage_client_free(client);
  free(repository);
}

static void a_registry_that_asks_for_no_token_gives_none(void)
{
  char *repository = repository_of("no-token");
  add_image(repository, NULL, "layer");
  wslimage_client *client = trusting_client();
  const char *const names[] = {repository, "", NULL};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    wslimage_image image = image_of(registry_https(), names[i], NULL);
    wslimage_error *error = NULL;
    wslimage_token *token = token_of(client, &image, WSLIMAGE_STATUS_OK, &error);
    CHECK(token != NULL);
    CHECK(wslimage_token_value(token) == NULL);
    wslimage_token_free(token);
  }
  char *name = text("%s/%s", registry_https(), repository);
  wslimage_image image = image_of(NULL, name, NULL);
  wslimage_error *error = NULL;
  wslimage_token_free(token_of(client, &image, WSLIMAGE_STATUS_OK, &error));
  free(name);
  wslimage_client_free(client);
  free(repository);
}

static void a_refused_token_is_not_replaced(void)
{
  char *repository = repository_of("refused-token");
  add_image(repository, "{\"scheme\":\"bearer\",\"anonymous\":true}", "layer");
  wslimage_client *client = trusting_client();
  wslimage_image image = image_of(registry_https(), repository, "latest");
  image.auth_token = "SecretOfMine";
  wslimage_error *error = resolve_error(client, &image);
  CHECK_NUMBER(wslimage_error_http_status(error), 401);
  CHECK(error && !strstr(wslimage_error_message(error), "SecretOfMine"));
  CHECK_ERROR(error, WSLIMAGE_ERROR_KIND_UNAUTHORIZED, WSLIMAGE_STAGE_RESOLVING, "Access denied to registry. ");
  CHECK_NUMBER(count_requests("/token", strrchr(repository, '/') + 1), 0);
  wslimage_client_free(client);
  free(repository);
}

static wslimage_client *client_of(const char *username, const char *password)
{
  wslimage_client_options options = client_options();
  char *copy = text("%s", password);
  options.ca_certificate_path = registry_ca();
  options.username = username;
  options.password = copy;
  wslimage_client *client = client_with(&options);
  /* It was copied. */
  memset(copy, 'x', strlen(copy));
  free(copy);
  return client;
}

static void a_password_opens_what_it_is_for(void)
{
  const char *const schemes[] = {
    "{\"scheme\":\"bearer\",\"anonymous\":false,\"username\":\"user\",\"password\":\"S3cret\"}",
    "{\"scheme\":\"basic\",\"username\":\"user\",\"password\":\"S3cret\"}",
  };
  for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
    char *name = text("password-%zu", i);
    char *repository = repository_of(name);
    char *path = path_of(name);
    add_image(repository, schemes[i], "layer");
    wslimage_image image = image_of(registry_https(), repository, "latest");

    wslimage_client *client = client_of("user", "S3cret");
    wslimage_manifest *manifest = resolve(client, &image);
    wslimage_file_free(pull(client, manifest, path));
    CHECK(file_holds(path, "layer", 5));
    wslimage_manifest_free(manifest);
    wslimage_client_free(client);

    client = client_of("user", "Wr0ng");
    wslimage_error *error = resolve_error(client, &image);
    CHECK_NUMBER(wslimage_error_kind_of(error), WSLIMAGE_ERROR_KIND_UNAUTHORIZED);
    CHECK_NUMBER(wslimage_error_http_status(error), 401);
    CHECK(error && !strstr(wslimage_error_message(error), "Wr0ng"));
    CHECK(wslimage_error_advice(error) != NULL);
    wslimage_error_free(error);
    wslimage_client_free(client);

    client = trusting_client();
    error = resolve_error(client, &image);
    CHECK_NUMBER(wslimage_error_kind_of(error), WSLIMAGE_ERROR_KIND_UNAUTHORIZED);
    wslimage_error_free(error);
    wslimage_client_free(client);
    free(path);
    free(repository);
    free(name);
  }
}

static void a_password_does_not_go_over_plain_http_by_itself(void)
{
  char *repository = repository_of("insecure");
  add_image(repository, "{\"scheme\":\"basic\",\"username\":\"user\",\"password\":\"S3cret\"}", "layer");
  wslimage_client_options options = client_options();
  options.username = "user";
  options.password = "S3cret";
  wslimage_client *client = client_with(&options);
  wslimage_image image = image_of(registry_http(), repository, "latest");
  wslimage_error *error = resolve_error(client, &image);
  CHECK_NUMBER(wslimage_error_kind_of(error), WSLIMAGE_ERROR_KIND_INSECURE);
  wslimage_error_free(error);
  wslimage_client_free(client);

  options.plain_http = true;
  client = client_with(&options);
  wslimage_manifest_free(resolve(client, &image));
  wslimage_client_free(client);
  free(repository);
}

static void a_token_service_that_refuses_is_an_error(void)
{
  char *repository = repository_of("refusing-service");
  wslimage_image image = image_of(registry_https(), repository, "latest");
  add_image(repository, "{\"scheme\":\"bearer\",\"deny\":true}", "layer");
  wslimage_client *client = trusting_client();
  wslimage_error *error = NULL;
  wslimage_token *token = token_of(client, &image, WSLIMAGE_STATUS_FAILED, &error);
  CHECK(token == NULL);
  CHECK_NUMBER(wslimage_error_http_status(error), 401);
  CHECK_ERROR(error, WSLIMAGE_ERROR_KIND_UNAUTHORIZED, WSLIMAGE_STAGE_AUTHENTICATING,
              "Failed to get authentication token");
  add_image(repository, "{\"scheme\":\"bearer\",\"deny\":true,\"denyStatus\":403}", "layer");
  error = resolve_error(client, &image);
  CHECK_NUMBER(wslimage_error_http_status(error), 403);
  CHECK_ERROR(error, WSLIMAGE_ERROR_KIND_DENIED, WSLIMAGE_STAGE_AUTHENTICATING, "Failed to get authentication token");
  wslimage_client_free(client);
  free(repository);
}

void login_tests(void)
{
  RUN(a_token_that_was_got_opens_the_image);
  RUN(a_registry_that_asks_for_no_token_gives_none);
  RUN(a_refused_token_is_not_replaced);
  RUN(a_password_opens_what_it_is_for);
  RUN(a_password_does_not_go_over_plain_http_by_itself);
  RUN(a_token_service_that_refuses_is_an_error);
}
