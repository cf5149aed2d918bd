/* Names of images, put together from a registry, a name and a tag. */

#include "harness.h"
#include "registry.h"

#define DIGEST "sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b"

static void parts_become_one_name(void)
{
  const struct {
    const char *registry, *default_registry, *name, *tag;
    const char *text, *named_registry, *repository, *version;
  } cases[] = {
    {"ghcr.io", NULL, "a/b", "c", "ghcr.io/a/b:c", "ghcr.io", "a/b", "c"},
    {NULL, "ghcr.io", "a/b", NULL, "ghcr.io/a/b:latest", "ghcr.io", "a/b", "latest"},
    {NULL, NULL, "alpine", NULL, "docker.io/library/alpine:latest", "docker.io", "library/alpine", "latest"},
    {NULL, "ghcr.io", "docker.io/alpine:3.20", NULL, "docker.io/library/alpine:3.20", "docker.io", "library/alpine",
     "3.20"},
    {"index.docker.io", "ghcr.io", "docker.io/alpine", "3.20", "docker.io/library/alpine:3.20", "docker.io",
     "library/alpine", "3.20"},
    {NULL, "ghcr.io", "localhost:5000/x@" DIGEST, NULL, "localhost:5000/x@" DIGEST, "localhost:5000", "x", DIGEST},
    {NULL, "ghcr.io", "a/b:c@" DIGEST, "c", "ghcr.io/a/b:c@" DIGEST, "ghcr.io", "a/b", DIGEST},
    {"ghcr.io", NULL, "a/b", DIGEST, "ghcr.io/a/b@" DIGEST, "ghcr.io", "a/b", DIGEST},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    wslimage_image image = image_of(cases[i].registry, cases[i].name, cases[i].tag);
    image.default_registry = cases[i].default_registry;
    wslimage_reference *reference = NULL;
    wslimage_error *error = NULL;
    CHECK_NUMBER(wslimage_reference_new(&image, &reference, &error), WSLIMAGE_STATUS_OK);
    CHECK(error == NULL);
    CHECK_TEXT(wslimage_reference_text(reference), cases[i].text);
    CHECK_TEXT(wslimage_reference_registry(reference), cases[i].named_registry);
    CHECK_TEXT(wslimage_reference_repository(reference), cases[i].repository);
    CHECK_TEXT(wslimage_reference_version(reference), cases[i].version);
    wslimage_reference_free(reference);
  }
}

static void parts_that_contradict_each_other_are_refused(void)
{
  const char *const bad[][3] = {
    {"ghcr.io", "docker.io/library/alpine", NULL}, {NULL, "ghcr.io/a/b:c", "d"}, {"ghcr.io", "Owner/name", NULL},
    {"", "a/b", NULL},                             {NULL, "a@" DIGEST, "latest"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    wslimage_image image = image_of(bad[i][0], bad[i][1], bad[i][2]);
    wslimage_reference *reference = NULL;
    wslimage_error *error = NULL;
    CHECK_NUMBER(wslimage_reference_new(&image, &reference, NULL), WSLIMAGE_STATUS_FAILED);
    CHECK_NUMBER(wslimage_reference_new(&image, &reference, &error), WSLIMAGE_STATUS_FAILED);
    CHECK(reference == NULL);
    CHECK_ERROR(error, WSLIMAGE_ERROR_KIND_INVALID_REFERENCE, WSLIMAGE_STAGE_STARTING, "Invalid image reference \"");
  }
}

static void a_whole_name_is_enough_to_get_an_image(void)
{
  char *repository = repository_of("whole-name");
  add_image(repository, NULL, "layer");
  char *name = text("%s/%s", registry_https(), repository);
  wslimage_client *client = trusting_client();
  wslimage_image image = image_of(NULL, name, NULL);
  image.default_registry = "ghcr.io";
  wslimage_manifest *manifest = resolve(client, &image);
  char *expected = text("%s:latest", name);
  CHECK_TEXT(wslimage_manifest_reference(manifest), expected);
  wslimage_manifest_free(manifest);

  image = image_of(NULL, repository, "latest");
  image.default_registry = registry_https();
  manifest = resolve(client, &image);
  CHECK_TEXT(wslimage_manifest_reference(manifest), expected);
  wslimage_manifest_free(manifest);
  free(expected);
  wslimage_client_free(client);
  free(name);
  free(repository);
}

void reference_tests(void)
{
  RUN(parts_become_one_name);
  RUN(parts_that_contradict_each_other_are_refused);
  RUN(a_whole_name_is_enough_to_get_an_image);
}
