/* What the options of a client do. */

#include "harness.h"
#include "platform.h"
#include "registry.h"

static void a_stall_ends_after_the_time_that_was_given(void)
{
  char *repository = repository_of("stall-timeout");
  add_image_with_layer_step(repository, "layer", "{\"pass\":true,\"stallAfter\":1}");
  wslimage_client_options options = client_options();
  options.ca_certificate_path = registry_ca();
  options.stall_timeout_ms = 200;
  options.no_retry = true;
  wslimage_client *client = client_with(&options);
  wslimage_image image = image_of(registry_https(), repository, "latest");
  wslimage_manifest *manifest = resolve(client, &image);
  char *path = path_of("stall-timeout");
  int64_t start = now_ms();
  CHECK_ERROR(pull_error(client, manifest, path), WSLIMAGE_ERROR_KIND_TIMEOUT, WSLIMAGE_STAGE_DOWNLOADING,
              "Failed to download Docker image layer: ");
  if (time_matters()) CHECK(now_ms() - start < 10000);
  free(path);
  wslimage_manifest_free(manifest);
  wslimage_client_free(client);
  free(repository);
}

static void what_failed_is_tried_again_as_often_as_asked(void)
{
  char *repository = repository_of("retries");
  char *path = text("/v2/%s/manifests/latest", repository);
  add_image(repository, NULL, "layer");
  add_route(path, "{\"status\":503}");
  const uint32_t retries[] = {0, 1};
  int asked = 0;
  for (size_t i = 0; i < sizeof retries / sizeof *retries; i++) {
    wslimage_client_options options = client_options();
    options.ca_certificate_path = registry_ca();
    options.no_retry = retries[i] == 0;
    options.maximum_retries = retries[i];
    wslimage_client *client = client_with(&options);
    wslimage_image image = image_of(registry_https(), repository, "latest");
    wslimage_error *error = resolve_error(client, &image);
    CHECK_NUMBER(wslimage_error_kind_of(error), WSLIMAGE_ERROR_KIND_SERVER);
    CHECK_NUMBER(wslimage_error_http_status(error), 503);
    wslimage_error_free(error);
    wslimage_client_free(client);
    CHECK_NUMBER(count_requests(path, "\"method\"") - asked, 1 + retries[i]);
    asked = count_requests(path, "\"method\"");
  }
  delete_route(path);
  free(path);
  free(repository);
}

/* A login that docker has left is found through the variables that were given. */
static void the_environment_that_is_given_is_the_one_that_counts(void)
{
  char *repository = repository_of("environment");
  add_image(repository, "{\"scheme\":\"basic\",\"username\":\"user\",\"password\":\"S3cret\"}", "layer");
  char *folder = path_of("docker-config");
  char *file = text("%s/config.json", folder);
  /* user:S3cret */
  char *config = text("{\"auths\":{\"%s\":{\"auth\":\"dXNlcjpTM2NyZXQ=\"}}}", registry_https());
  char *variable = text("DOCKER_CONFIG=%s", folder);
  const char *variables[] = {variable, NULL};
  make_folder(folder);
  CHECK(write_file(file, config));

  wslimage_client_options options = client_options();
  options.ca_certificate_path = registry_ca();
  wslimage_image image = image_of(registry_https(), repository, "latest");
  wslimage_client *client = client_with(&options);
  wslimage_error *error = resolve_error(client, &image);
  CHECK_NUMBER(wslimage_error_kind_of(error), WSLIMAGE_ERROR_KIND_UNAUTHORIZED);
  wslimage_error_free(error);
  wslimage_client_free(client);

  options.environment = variables;
  client = client_with(&options);
  wslimage_manifest_free(resolve(client, &image));
  wslimage_client_free(client);
  free(variable);
  free(config);
  free(file);
  free(folder);
  free(repository);
}

static void a_mirror_is_asked_in_the_registrys_place(void)
{
  char *repository = repository_of("mirror");
  add_image(repository, NULL, "layer");
  const char *mirrors[] = {registry_https(), NULL};
  wslimage_client_options options = client_options();
  options.ca_certificate_path = registry_ca();
  options.mirrors = mirrors;
  wslimage_client *client = client_with(&options);
  wslimage_image image = image_of("registry.invalid", repository, "latest");
  wslimage_manifest_free(resolve(client, &image));
  wslimage_client_free(client);
  free(repository);
}

static void a_proxy_that_is_not_there_is_an_error_of_the_proxy(void)
{
  wslimage_client_options options = client_options();
  /* Nothing listens at the discard port. */
  options.proxy_url = "http://127.0.0.1:9";
  options.no_retry = true;
  wslimage_client *client = client_with(&options);
  wslimage_image image = image_of("registry.invalid", "a/b", "latest");
  wslimage_error *error = resolve_error(client, &image);
  CHECK_CONTAINS(wslimage_error_message(error), "127.0.0.1:9");
  CHECK_ERROR(error, WSLIMAGE_ERROR_KIND_PROXY, WSLIMAGE_STAGE_AUTHENTICATING, "Failed to get authentication token: ");
  wslimage_client_free(client);
}

void network_tests(void)
{
  RUN(a_stall_ends_after_the_time_that_was_given);
  RUN(what_failed_is_tried_again_as_often_as_asked);
  RUN(the_environment_that_is_given_is_the_one_that_counts);
  RUN(a_mirror_is_asked_in_the_registrys_place);
  RUN(a_proxy_that_is_not_there_is_an_error_of_the_proxy);
}
