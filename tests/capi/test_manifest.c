/* What is read of a manifest and a config. */

#include "harness.h"
#include "registry.h"

static bool bytes_are(const uint8_t *bytes, size_t length, const char *expected)
{
  bool same = bytes && length == strlen(expected) && memcmp(bytes, expected, length) == 0;
  if (!same) printf("  found: %.*s\n", (int)length, bytes ? (const char *)bytes : "");
  return same;
}

/* The manifest as the registry has it, by plain http. */
static wslimage_manifest *resolved(const char *repository, const char *platform)
{
  wslimage_client *client = client_with(NULL);
  wslimage_image image = image_of(registry_http(), repository, "latest");
  image.platform = platform;
  wslimage_manifest *manifest = resolve(client, &image);
  wslimage_client_free(client);
  return manifest;
}

static void an_image_is_described_in_full(void)
{
  char *repository = repository_of("described");
  char *request = text("{\"repository\":\"%s\",\"platforms\":["
                       "{\"platform\":{\"os\":\"linux\",\"architecture\":\"arm64\",\"variant\":\"v8\"},"
                       "\"configText\":\"{\\\"os\\\":\\\"linux\\\",\\\"architecture\\\":\\\"arm64\\\"}\","
                       "\"layers\":[{\"text\":\"one\",\"mediaType\":\"application/x-first\"}]},"
                       "{\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"},\"layers\":[{\"text\":\"x\"}]}]}",
                       repository);
  char *answer = registry_ask("POST", "/images", request);
  wslimage_manifest *manifest = resolved(repository, "linux/arm64/v8");

  char *reference = text("%s/%s:latest", registry_http(), repository);
  char *digest = text("\"manifests\":[\"%s\"", wslimage_manifest_digest(manifest));
  CHECK_TEXT(wslimage_manifest_reference(manifest), reference);
  CHECK_BEGINS(wslimage_manifest_platform(manifest), "linux/arm64");
  CHECK_CONTAINS(answer, digest);
  CHECK_TEXT(wslimage_manifest_media_type(manifest), "application/vnd.oci.image.manifest.v1+json");
  CHECK_NUMBER(wslimage_manifest_layer_count(manifest), 1);
  CHECK_TEXT(wslimage_manifest_layer_media_type(manifest, 0), "application/x-first");
  CHECK_CONTAINS(answer, wslimage_manifest_layer_digest(manifest, 0));
  CHECK_NUMBER(wslimage_manifest_layer_size(manifest, 0), 3);

  const size_t beyond[] = {1, 1000, SIZE_MAX};
  for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
    CHECK(wslimage_manifest_layer_media_type(manifest, beyond[i]) == NULL);
    CHECK(wslimage_manifest_layer_digest(manifest, beyond[i]) == NULL);
    CHECK_NUMBER(wslimage_manifest_layer_size(manifest, beyond[i]), 0);
    CHECK(wslimage_manifest_dropped_key(manifest, beyond[i]) == NULL);
  }
  CHECK_NUMBER(wslimage_manifest_dropped_key_count(manifest), 0);

  size_t length = 0;
  const uint8_t *json = wslimage_manifest_config_json(manifest, &length);
  CHECK(bytes_are(json, length, "{\"os\":\"linux\",\"architecture\":\"arm64\"}"));
  json = wslimage_manifest_json(manifest, &length);
  CHECK(json && length > 2 && json[0] == '{' && json[length - 1] == '}');
  CHECK(wslimage_manifest_json(manifest, NULL) == NULL);
  CHECK(wslimage_manifest_config_json(manifest, NULL) == NULL);
  CHECK(wslimage_manifest_metadata_json(manifest, NULL) == NULL);

  wslimage_manifest_free(manifest);
  free(digest);
  free(reference);
  free(answer);
  free(request);
  free(repository);
}

static void keys_that_differ_by_case_are_left_out_and_told(void)
{
  char *repository = repository_of("keys");
  char *platforms = text("%s",
                         "{\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"},\"layers\":[{\"text\":\"x\"}],"
                         "\"configText\":\"{\\\"os\\\":\\\"linux\\\",\\\"history\\\":[],\\\"rootfs\\\":{},"
                         "\\\"config\\\":{\\\"Labels\\\":{\\\"Foo\\\":\\\"1\\\",\\\"foo\\\":\\\"2\\\","
                         "\\\"FOO\\\":\\\"3\\\",\\\"b\\\\u0000\\\":1,\\\"B\\\\u0000\\\":2}}}\"}");
  add_platforms(repository, platforms);
  wslimage_manifest *manifest = resolved(repository, NULL);
  size_t length = 0;
  const uint8_t *json = wslimage_manifest_metadata_json(manifest, &length);
  CHECK(bytes_are(json, length,
                  "{\"os\":\"linux\",\"config\":{\"Labels\":{\"Foo\":\"1\",\"b\\u0000\":1}}}"));
  CHECK_NUMBER(wslimage_manifest_dropped_key_count(manifest), 3);
  CHECK_TEXT(wslimage_manifest_dropped_key(manifest, 0), "config.Labels.foo");
  CHECK_TEXT(wslimage_manifest_dropped_key(manifest, 1), "config.Labels.FOO");
  /* A NUL that a server sends does not end a string. */
  CHECK_TEXT(wslimage_manifest_dropped_key(manifest, 2), "config.Labels.B\xc2\xb7");
  CHECK(wslimage_manifest_dropped_key(manifest, 3) == NULL);
  wslimage_manifest_free(manifest);
  free(platforms);
  free(repository);
}

static void a_nul_in_a_media_type_does_not_end_it(void)
{
  char *repository = repository_of("nul");
  add_platforms(repository, "{\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"},"
                            "\"layers\":[{\"text\":\"x\",\"mediaType\":\"a/b\\u0000c\"}]}");
  wslimage_manifest *manifest = resolved(repository, NULL);
  CHECK_TEXT(wslimage_manifest_layer_media_type(manifest, 0), "a/b\xef\xbf\xbd" "c");
  wslimage_manifest_free(manifest);
  free(repository);
}

static void a_docker_manifest_without_an_index_is_read(void)
{
  char *repository = repository_of("docker");
  registry_tell("POST", "/images",
                text("{\"repository\":\"%s\",\"index\":false,\"docker\":true,\"platforms\":[{\"platform\":{\"os\":"
                     "\"linux\",\"architecture\":\"amd64\"},\"layers\":[{\"text\":\"x\"}]}]}",
                     repository));
  wslimage_manifest *manifest = resolved(repository, NULL);
  CHECK_TEXT(wslimage_manifest_platform(manifest), "linux/amd64");
  CHECK_TEXT(wslimage_manifest_media_type(manifest), "application/vnd.docker.distribution.manifest.v2+json");
  CHECK_TEXT(wslimage_manifest_layer_media_type(manifest, 0), "application/vnd.docker.image.rootfs.diff.tar.gzip");
  wslimage_manifest_free(manifest);
  free(repository);
}

void manifest_tests(void)
{
  RUN(an_image_is_described_in_full);
  RUN(keys_that_differ_by_case_are_left_out_and_told);
  RUN(a_nul_in_a_media_type_does_not_end_it);
  RUN(a_docker_manifest_without_an_index_is_read);
}
