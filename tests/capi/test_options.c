/* What a client and an image may be made of. */

#include "harness.h"
#include "registry.h"

static const char NOT_UTF8[] = "\xc3\x28";

static wslimage_error *refused_client(const wslimage_client_options *options, wslimage_status expected)
{
  wslimage_client *client = NULL;
  wslimage_error *error = NULL;
  CHECK_NUMBER(wslimage_client_new(options, &client, &error), expected);
  CHECK(client == NULL);
  wslimage_client_free(client);
  /* Who does not ask why is not told. */
  CHECK_NUMBER(wslimage_client_new(options, &client, NULL), expected);
  return error;
}

#define CHECK_CLIENT_REFUSED(options, status, message) \
  CHECK_ERROR(refused_client((options), (status)), WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT, WSLIMAGE_STAGE_STARTING, \
              message)

static void options_of_any_version_are_taken(void)
{
  struct {
    wslimage_client_options known;
    char beyond[64];
  } newer;
  wslimage_client_options older;

  wslimage_client_free(client_with(NULL));
  older = client_options();
  wslimage_client_free(client_with(&older));

  /* What an older caller does not know of is not read. */
  memset(&older, 0x7f, sizeof older);
  older.size = offsetof(wslimage_client_options, username);
  wslimage_client_free(client_with(&older));
  /* The first version ended with plain_http. */
  older.username = older.password = older.ca_certificate_path = older.user_agent = NULL;
  older.size = offsetof(wslimage_client_options, environment);
  wslimage_client_free(client_with(&older));
  older.size = offsetof(wslimage_client_options, user_agent);
  wslimage_client_free(client_with(&older));

  memset(&newer, 0, sizeof newer);
  newer.known.size = sizeof newer;
  wslimage_client_free(client_with(&newer.known));
  newer.beyond[sizeof newer.beyond - 1] = 1;
  CHECK_CLIENT_REFUSED(&newer.known, WSLIMAGE_STATUS_INVALID_ARGUMENT, "options uses fields that this version");
}

static void sizes_that_no_version_has_are_refused(void)
{
  const size_t sizes[] = {0, 1, sizeof(size_t) - 1, sizeof(wslimage_client_options) - 1, 4104, (size_t)-8};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    wslimage_client_options options = client_options();
    options.size = sizes[i];
    CHECK_CLIENT_REFUSED(&options, WSLIMAGE_STATUS_INVALID_ARGUMENT, "options->size is ");
  }
}

static void text_that_is_not_utf8_is_refused_by_name(void)
{
  wslimage_client_options options = client_options();
  options.username = NOT_UTF8;
  CHECK_CLIENT_REFUSED(&options, WSLIMAGE_STATUS_INVALID_ARGUMENT, "options->username is not UTF-8");
  options = client_options();
  options.password = NOT_UTF8;
  CHECK_CLIENT_REFUSED(&options, WSLIMAGE_STATUS_INVALID_ARGUMENT, "options->password is not UTF-8");
  options = client_options();
  options.ca_certificate_path = NOT_UTF8;
  CHECK_CLIENT_REFUSED(&options, WSLIMAGE_STATUS_INVALID_ARGUMENT, "options->ca_certificate_path is not UTF-8");
  options = client_options();
  options.user_agent = NOT_UTF8;
  CHECK_CLIENT_REFUSED(&options, WSLIMAGE_STATUS_INVALID_ARGUMENT, "options->user_agent is not UTF-8");
  options = client_options();
  options.proxy_url = NOT_UTF8;
  CHECK_CLIENT_REFUSED(&options, WSLIMAGE_STATUS_INVALID_ARGUMENT, "options->proxy_url is not UTF-8");
  options = client_options();
  options.proxy_username = NOT_UTF8;
  CHECK_CLIENT_REFUSED(&options, WSLIMAGE_STATUS_INVALID_ARGUMENT, "options->proxy_username is not UTF-8");
  options = client_options();
  options.proxy_password = NOT_UTF8;
  CHECK_CLIENT_REFUSED(&options, WSLIMAGE_STATUS_INVALID_ARGUMENT, "options->proxy_password is not UTF-8");
  options = client_options();
  options.cache_path = NOT_UTF8;
  CHECK_CLIENT_REFUSED(&options, WSLIMAGE_STATUS_INVALID_ARGUMENT, "options->cache_path is not UTF-8");
  const char *const list[] = {"A=b", NOT_UTF8, NULL};
  options = client_options();
  options.environment = list;
  CHECK_CLIENT_REFUSED(&options, WSLIMAGE_STATUS_INVALID_ARGUMENT, "options->environment[1] is not UTF-8");
  const char *const mirrors[] = {NOT_UTF8, NULL};
  options = client_options();
  options.mirrors = mirrors;
  CHECK_CLIENT_REFUSED(&options, WSLIMAGE_STATUS_INVALID_ARGUMENT, "options->mirrors[0] is not UTF-8");
}

static void half_a_login_is_refused(void)
{
  wslimage_client_options options = client_options();
  options.username = "user";
  CHECK_CLIENT_REFUSED(&options, WSLIMAGE_STATUS_INVALID_ARGUMENT, "options->password is NULL");
  options.username = NULL;
  options.password = "Secret";
  wslimage_error *error = refused_client(&options, WSLIMAGE_STATUS_INVALID_ARGUMENT);
  CHECK(error && !strstr(wslimage_error_message(error), "Secret"));
  CHECK_ERROR(error, WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT, WSLIMAGE_STAGE_STARTING, "options->username is NULL");
}

static void half_a_proxy_is_refused(void)
{
  wslimage_client_options options = client_options();
  options.proxy_username = "user";
  CHECK_CLIENT_REFUSED(&options, WSLIMAGE_STATUS_INVALID_ARGUMENT, "options->proxy_password is NULL");
  options.proxy_password = "Secret";
  CHECK_CLIENT_REFUSED(&options, WSLIMAGE_STATUS_INVALID_ARGUMENT, "options->proxy_url is NULL");
  options.proxy_url = "http://proxy:3128";
  options.proxy_use_default_credentials = true;
  CHECK_CLIENT_REFUSED(&options, WSLIMAGE_STATUS_INVALID_ARGUMENT, "options->proxy_username is not NULL");
  options = client_options();
  options.proxy_use_default_credentials = true;
  CHECK_CLIENT_REFUSED(&options, WSLIMAGE_STATUS_INVALID_ARGUMENT, "options->proxy_url is NULL");
  options = client_options();
  options.proxy_url = "http://proxy:3128";
  options.no_proxy = true;
  CHECK_CLIENT_REFUSED(&options, WSLIMAGE_STATUS_INVALID_ARGUMENT, "options->proxy_url is not NULL");
}

static void a_proxy_or_a_mirror_that_is_no_address_is_an_error(void)
{
  const char *const proxies[] = {"", "http://", "http://user:Secret@proxy:3128"};
  for (size_t i = 0; i < sizeof proxies / sizeof *proxies; i++) {
    wslimage_client_options options = client_options();
    options.proxy_url = proxies[i];
    wslimage_error *error = refused_client(&options, WSLIMAGE_STATUS_FAILED);
    CHECK(error && !strstr(wslimage_error_message(error), "Secret"));
    CHECK_ERROR(error, WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT, WSLIMAGE_STAGE_STARTING, "The address of the proxy");
  }
  const char *const mirrors[] = {"mirror.example:5000/path", "no host", NULL};
  wslimage_client_options options = client_options();
  options.mirrors = mirrors;
  CHECK_CLIENT_REFUSED(&options, WSLIMAGE_STATUS_FAILED, "The mirror \"no host\" cannot be used");
}

static void a_variable_without_a_name_or_a_value_is_refused(void)
{
  const char *const bad[] = {"", "SECRET", "=x"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    const char *const variables[] = {"A=b", bad[i], NULL};
    wslimage_client_options options = client_options();
    options.environment = variables;
    CHECK_CLIENT_REFUSED(&options, WSLIMAGE_STATUS_INVALID_ARGUMENT, "options->environment[1] is not NAME=VALUE");
  }
}

/* What each option does is tested where it is done; here, that all of them are taken together. */
static void every_option_is_taken(void)
{
  char *repository = repository_of("every-option");
  add_image(repository, NULL, "layer");
  char *variable = text("%s", "HOME=/nowhere");
  const char *variables[] = {variable, "EMPTY=", "=C:=C:\\", NULL};
  char *cache = path_of("every-option-cache");
  wslimage_client_options options = client_options();
  options.ca_certificate_path = registry_ca();
  options.environment = variables;
  options.connect_timeout_ms = 20000;
  options.stall_timeout_ms = UINT32_MAX;
  options.maximum_retries = 3;
  options.no_retry = true;
  options.maximum_wait_ms = UINT64_MAX;
  options.maximum_connections = 1;
  options.no_proxy = true;
  options.cache_path = cache;
  wslimage_client *client = client_with(&options);
  /* They were copied. */
  memset(variable, 'x', strlen(variable));
  memset(cache, 'x', strlen(cache));
  wslimage_image image = image_of(registry_https(), repository, "latest");
  wslimage_manifest_free(resolve(client, &image));
  wslimage_client_free(client);

  const char *const mirrors[] = {"mirror.example:5000/path", "http://other.example", NULL};
  options = client_options();
  options.environment = NULL;
  options.mirrors = mirrors;
  options.proxy_url = "proxy.example:3128";
  options.proxy_username = "user";
  options.proxy_password = "Secret";
  wslimage_client_free(client_with(&options));
  free(cache);
  free(variable);
  free(repository);
}

static void certificates_that_cannot_be_used_are_an_error(void)
{
  char *path = path_of("no-such-certificate.pem");
  wslimage_client_options options = client_options();
  options.ca_certificate_path = path;
  wslimage_error *error = refused_client(&options, WSLIMAGE_STATUS_FAILED);
  CHECK_TEXT(wslimage_error_target(error), path);
  CHECK(wslimage_error_cause(error, 0) != NULL);
  CHECK(wslimage_error_cause(error, 1000) == NULL);
  CHECK_NUMBER(wslimage_error_http_status(error), 0);
  CHECK_NUMBER(wslimage_error_retry_after_ms(error), -1);
  CHECK_TEXT(wslimage_error_registry_code(error), NULL);
  CHECK_CONTAINS(wslimage_error_message(error), path);
  CHECK_ERROR(error, WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT, WSLIMAGE_STAGE_STARTING, "");

  CHECK(write_file(path, "no certificate\n"));
  error = refused_client(&options, WSLIMAGE_STATUS_FAILED);
  CHECK(wslimage_error_advice(error) != NULL);
  CHECK_CONTAINS(wslimage_error_message(error), wslimage_error_advice(error));
  CHECK_ERROR(error, WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT, WSLIMAGE_STAGE_STARTING, "");
  remove(path);
  free(path);
}

static void a_user_agent_that_is_no_header_is_an_error(void)
{
  wslimage_client_options options = client_options();
  options.user_agent = "two\r\nlines";
  CHECK_CLIENT_REFUSED(&options, WSLIMAGE_STATUS_FAILED, "The user agent");
}

static wslimage_error *refused_image(wslimage_client *client, const wslimage_image *image, wslimage_status expected)
{
  wslimage_operation *operation = NULL;
  wslimage_error *error = NULL;
  CHECK_NUMBER(wslimage_manifest_start(client, image, &operation, &error), expected);
  CHECK(operation == NULL);
  wslimage_operation_free(operation);
  return error;
}

static void names_that_are_not_well_formed_are_refused(void)
{
  const struct {
    const char *registry, *name, *tag;
  } bad[] = {
    {"ghcr.io", "", "latest"},        {"ghcr.io", "Owner/name", "latest"}, {"ghcr.io", "a b", "latest"},
    {"ghcr.io", "a/b", ""},           {"ghcr.io", "a/b", ".x"},            {"ghcr.io", "a/b", "sha256:12"},
    {"https://ghcr.io", "a", "b"},    {"", "a/b", "latest"},               {"ghcr.io:70000", "a/b", "c"},
    {"ghcr.io", "a/b:c", "d"},        {NULL, "", NULL},                    {NULL, "ghcr.io/a/b:c", "d"},
    {"ghcr.io", "docker.io/a", NULL}, {"ghcr.io", "localhost/a", NULL},    {NULL, "a/b@sha256:1", NULL},
    {NULL, "ghcr.io/a/b@latest", NULL},
  };
  wslimage_client *client = client_with(NULL);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    wslimage_image image = image_of(bad[i].registry, bad[i].name, bad[i].tag);
    CHECK_ERROR(refused_image(client, &image, WSLIMAGE_STATUS_FAILED), WSLIMAGE_ERROR_KIND_INVALID_REFERENCE,
                WSLIMAGE_STAGE_STARTING, "Invalid image reference \"");
  }
  wslimage_operation *operation = NULL;
  wslimage_error *error = NULL;
  wslimage_image image = image_of("ghcr.io", "Owner/name", NULL);
  CHECK_NUMBER(wslimage_token_start(client, &image, &operation, &error), WSLIMAGE_STATUS_OK);
  CHECK_NUMBER(wslimage_operation_run(operation, NULL, NULL), WSLIMAGE_STATUS_FAILED);
  wslimage_token *token = NULL;
  CHECK_NUMBER(wslimage_operation_take_token(operation, &token, &error), WSLIMAGE_STATUS_FAILED);
  CHECK_ERROR(error, WSLIMAGE_ERROR_KIND_INVALID_REFERENCE, WSLIMAGE_STAGE_AUTHENTICATING,
              "Failed to get authentication token: Invalid image reference \"");
  wslimage_operation_free(operation);
  wslimage_client_free(client);
}

static void a_platform_that_is_none_is_an_invalid_argument(void)
{
  const char *const bad[] = {"", "linux", "linux/", "linux/arm/v7/x", "linux amd64"};
  wslimage_client *client = client_with(NULL);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    wslimage_image image = image_of("ghcr.io", "a/b", "c");
    image.platform = bad[i];
    wslimage_error *error = refused_image(client, &image, WSLIMAGE_STATUS_FAILED);
    CHECK_ERROR(error, WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT, WSLIMAGE_STAGE_STARTING, "Invalid platform \"");
  }
  wslimage_client_free(client);
}

static void images_with_wrong_fields_are_refused(void)
{
  wslimage_client *client = client_with(NULL);
  wslimage_image image = image_of(NULL, NULL, NULL);
  CHECK_ERROR(refused_image(client, &image, WSLIMAGE_STATUS_INVALID_ARGUMENT), WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT,
              WSLIMAGE_STAGE_STARTING, "image->name is NULL");
  image.size = 1;
  CHECK_ERROR(refused_image(client, &image, WSLIMAGE_STATUS_INVALID_ARGUMENT), WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT,
              WSLIMAGE_STAGE_STARTING, "image->size is 1");
  const size_t fields[] = {
    offsetof(wslimage_image, registry), offsetof(wslimage_image, name),       offsetof(wslimage_image, tag),
    offsetof(wslimage_image, platform), offsetof(wslimage_image, auth_token), offsetof(wslimage_image, default_registry),
  };
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    const char *bad = NOT_UTF8;
    image = image_of("ghcr.io", "a/b", "c");
    memcpy((char *)&image + fields[i], &bad, sizeof bad);
    wslimage_error *error = refused_image(client, &image, WSLIMAGE_STATUS_INVALID_ARGUMENT);
    CHECK_CONTAINS(wslimage_error_message(error), " is not UTF-8");
    CHECK_ERROR(error, WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT, WSLIMAGE_STAGE_STARTING, "image->");
  }
  wslimage_client_free(client);
}

static void any_byte_but_zero_is_true(void)
{
  char *repository = repository_of("any-byte");
  add_image(repository, NULL, "layer");
  wslimage_client_options options = client_options();
  memset(&options.skip_certificate_check, 2, 1);
  wslimage_client *client = client_with(&options);
  wslimage_image image = image_of(registry_https(), repository, "latest");
  wslimage_manifest_free(resolve(client, &image));
  wslimage_client_free(client);
  free(repository);
}

void option_tests(void)
{
  RUN(options_of_any_version_are_taken);
  RUN(sizes_that_no_version_has_are_refused);
  RUN(text_that_is_not_utf8_is_refused_by_name);
  RUN(half_a_login_is_refused);
  RUN(half_a_proxy_is_refused);
  RUN(a_proxy_or_a_mirror_that_is_no_address_is_an_error);
  RUN(a_variable_without_a_name_or_a_value_is_refused);
  RUN(every_option_is_taken);
  RUN(certificates_that_cannot_be_used_are_an_error);
  RUN(a_user_agent_that_is_no_header_is_an_error);
  RUN(names_that_are_not_well_formed_are_refused);
  RUN(a_platform_that_is_none_is_an_invalid_argument);
  RUN(images_with_wrong_fields_are_refused);
  RUN(any_byte_but_zero_is_true);
}
