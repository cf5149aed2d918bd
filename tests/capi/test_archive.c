/* An image of several layers, in each format, and images of files. */

#include "harness.h"
#include "platform.h"
#include "registry.h"
#include "tar.h"

static const char NOT_UTF8[] = "\xc3\x28";

/* A root filesystem in two layers: the second takes a file away. */
static struct tar lower_layer(void)
{
  struct tar tar = tar_new();
  tar_add_text(&tar, "etc/", "");
  tar_add_text(&tar, "etc/kept", "kept");
  tar_add_text(&tar, "etc/gone", "gone");
  tar_end(&tar);
  return tar;
}

static struct tar upper_layer(void)
{
  struct tar tar = tar_new();
  tar_add_text(&tar, "etc/.wh.gone", "");
  tar_add_text(&tar, "etc/new", "new");
  tar_end(&tar);
  return tar;
}

/* The image at the registry, resolved. */
static wslimage_manifest *two_layers(wslimage_client *client, const char *name)
{
  struct tar lower = lower_layer(), upper = upper_layer();
  char *repository = repository_of(name);
  char *first = json_of(lower.bytes, lower.length), *second = json_of(upper.bytes, upper.length);
  char *platform = text("{\"platform\":{\"os\":\"linux\",\"architecture\":\"amd64\"},"
                        "\"layers\":[{\"text\":\"%s\"},{\"text\":\"%s\"}]}",
                        first, second);
  add_platforms(repository, platform);
  wslimage_image image = image_of(registry_https(), repository, "latest");
  wslimage_manifest *manifest = resolve(client, &image);
  free(platform);
  free(second);
  free(first);
  free(repository);
  tar_free(&upper);
  tar_free(&lower);
  return manifest;
}

static wslimage_pull_options pull_options(wslimage_format format)
{
  wslimage_pull_options options;
  memset(&options, 0, sizeof options);
  options.size = sizeof options;
  options.format = format;
  return options;
}

static wslimage_file *pull_with(wslimage_client *client, const wslimage_manifest *manifest, const char *path,
                                const wslimage_pull_options *options)
{
  wslimage_operation *operation = NULL;
  wslimage_file *file = NULL;
  wslimage_error *error = NULL;
  CHECK_NUMBER(wslimage_pull_start(client, manifest, path, options, &operation, &error), WSLIMAGE_STATUS_OK);
  CHECK(error == NULL);
  CHECK_NUMBER(wslimage_operation_run(operation, NULL, NULL), WSLIMAGE_STATUS_OK);
  wslimage_status status = wslimage_operation_take_file(operation, &file, &error);
  if (!CHECK_NUMBER(status, WSLIMAGE_STATUS_OK)) printf("  not pulled: %s\n", wslimage_error_message(error));
  wslimage_error_free(error);
  wslimage_operation_free(operation);
  return file;
}

static wslimage_error *pull_error_with(wslimage_client *client, const wslimage_manifest *manifest, const char *path,
                                       const wslimage_pull_options *options)
{
  wslimage_operation *operation = NULL;
  wslimage_file *file = NULL;
  wslimage_error *error = NULL;
  CHECK_NUMBER(wslimage_pull_start(client, manifest, path, options, &operation, NULL), WSLIMAGE_STATUS_OK);
  CHECK_NUMBER(wslimage_operation_run(operation, NULL, NULL), WSLIMAGE_STATUS_FAILED);
  CHECK_NUMBER(wslimage_operation_take_file(operation, &file, &error), WSLIMAGE_STATUS_FAILED);
  CHECK(file == NULL);
  wslimage_operation_free(operation);
  return error;
}

static void several_layers_become_one_archive(void)
{
  wslimage_client *client = trusting_client();
  wslimage_manifest *manifest = two_layers(client, "several");
  CHECK_NUMBER(wslimage_manifest_layer_count(manifest), 2);
  CHECK_TEXT(wslimage_manifest_name(manifest), wslimage_manifest_reference(manifest));

  char *path = path_of("several");
  wslimage_operation *operation = start_pull(client, manifest, path);
  wslimage_file *file = NULL;
  CHECK_NUMBER(wslimage_operation_run(operation, NULL, NULL), WSLIMAGE_STATUS_OK);
  CHECK_NUMBER(wslimage_operation_take_file(operation, &file, NULL), WSLIMAGE_STATUS_OK);

  wslimage_progress progress;
  progress.size = sizeof progress;
  CHECK_NUMBER(wslimage_operation_progress(operation, &progress), WSLIMAGE_STATUS_OK);
  CHECK_NUMBER(progress.layer_count, 2);
  CHECK_NUMBER(progress.bytes_done, progress.bytes_total);
  CHECK_NUMBER(progress.bytes_written, wslimage_file_size(file));
  CHECK_NUMBER(progress.bytes_to_write, wslimage_file_size(file));
  for (size_t i = 0; i < 2; i++) {
    CHECK_NUMBER(wslimage_operation_layer_bytes(operation, i), wslimage_manifest_layer_size(manifest, i));
    CHECK(strcmp(wslimage_file_digest(file), wslimage_manifest_layer_digest(manifest, i)) != 0);
  }
  CHECK_NUMBER(wslimage_operation_layer_bytes(operation, 2), 0);
  CHECK_NUMBER(wslimage_operation_layer_bytes(operation, SIZE_MAX), 0);
  CHECK_NUMBER(wslimage_operation_layer_bytes(NULL, 0), 0);

  /* It has /etc, and no /bin/sh. */
  bool is_warned = false;
  for (uint64_t i = 0; i < progress.notice_count; i++) {
    uint32_t kind = 0;
    const char *line = wslimage_operation_notice(operation, i, &kind, NULL);
    if (kind == WSLIMAGE_NOTICE_KIND_WARNING) is_warned |= CHECK_CONTAINS(line, "no /bin/sh");
  }
  CHECK(is_warned);
  wslimage_operation_free(operation);

  /* Another call finds it there. */
  wslimage_file *again = pull(client, manifest, path);
  CHECK_TEXT(wslimage_file_digest(again), wslimage_file_digest(file));
  char *layers = text("%s.layers/archive", path);
  CHECK(!file_exists(layers));
  free(layers);
  wslimage_file_free(again);
  wslimage_file_free(file);
  wslimage_manifest_free(manifest);
  wslimage_client_free(client);
  free(path);
}

static void an_archive_is_written_in_each_format(void)
{
  wslimage_client *client = trusting_client();
  wslimage_manifest *manifest = two_layers(client, "formats");
  const struct {
    wslimage_format format;
    const char *begin;
    size_t length;
  } formats[] = {
    {WSLIMAGE_FORMAT_TAR_GZ, "\x1f\x8b\x08", 3},
    {WSLIMAGE_FORMAT_TAR, "etc/", 4},
    {WSLIMAGE_FORMAT_TAR_XZ, "\xfd" "7zXZ", 5},
  };
  for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
    char *name = text("format-%zu", i);
    char *path = path_of(name);
    wslimage_pull_options options = pull_options(formats[i].format);
    wslimage_file *file = pull_with(client, manifest, path, &options);
    char begin[8] = "";
    FILE *written = fopen(path, "rb");
    CHECK(written && fread(begin, 1, formats[i].length, written) == formats[i].length);
    CHECK(memcmp(begin, formats[i].begin, formats[i].length) == 0);
    if (written) fclose(written);
    CHECK_BEGINS(wslimage_file_digest(file), "sha256:");
    if (formats[i].format == WSLIMAGE_FORMAT_TAR) {
      CHECK(tar_file_has(path, "etc/") && tar_file_has(path, "etc/kept") && tar_file_has(path, "etc/new"));
      CHECK(!tar_file_has(path, "etc/gone") && !tar_file_has(path, "etc/.wh.gone"));
    }
    wslimage_file_free(file);
    free(path);
    free(name);
  }

  char *path = path_of("original");
  wslimage_pull_options options = pull_options(WSLIMAGE_FORMAT_ORIGINAL);
  CHECK_ERROR(pull_error_with(client, manifest, path, &options), WSLIMAGE_ERROR_KIND_UNSUPPORTED_IMAGE,
              WSLIMAGE_STAGE_STARTING, "The image should have exactly one layer");
  CHECK(nothing_at(path));
  wslimage_manifest_free(manifest);

  char *repository = repository_of("original");
  add_image(repository, NULL, "any bytes");
  wslimage_image image = image_of(registry_https(), repository, "latest");
  manifest = resolve(client, &image);
  wslimage_file_free(pull_with(client, manifest, path, &options));
  CHECK(file_holds(path, "any bytes", 9));

  wslimage_manifest_free(manifest);
  wslimage_client_free(client);
  free(repository);
  free(path);
}

static void layers_may_not_become_larger_than_allowed(void)
{
  wslimage_client *client = trusting_client();
  wslimage_manifest *manifest = two_layers(client, "large");
  char *path = path_of("large");
  wslimage_pull_options options = pull_options(WSLIMAGE_FORMAT_TAR_GZ);
  options.maximum_plain_size = 1000;
  wslimage_error *error = pull_error_with(client, manifest, path, &options);
  CHECK_NUMBER(wslimage_error_kind_of(error), WSLIMAGE_ERROR_KIND_UNSUPPORTED_IMAGE);
  CHECK_CONTAINS(wslimage_error_message(error), "1000");
  wslimage_error_free(error);
  CHECK(nothing_at(path));
  options.maximum_plain_size = 1000000;
  wslimage_file_free(pull_with(client, manifest, path, &options));
  wslimage_manifest_free(manifest);
  wslimage_client_free(client);
  free(path);
}

static void check_options_refused(wslimage_client *client, const wslimage_manifest *manifest,
                                  const wslimage_pull_options *options, const char *message)
{
  wslimage_operation *operation = NULL;
  wslimage_error *error = NULL;
  CHECK_NUMBER(wslimage_pull_start(client, manifest, "never-written", options, &operation, &error),
               WSLIMAGE_STATUS_INVALID_ARGUMENT);
  CHECK(operation == NULL);
  CHECK_ERROR(error, WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT, WSLIMAGE_STAGE_STARTING, message);
}

static void pull_options_of_any_version_are_taken(void)
{
  wslimage_client *client = trusting_client();
  wslimage_manifest *manifest = two_layers(client, "options");
  char *path = path_of("options");

  wslimage_pull_options older;
  memset(&older, 0x7f, sizeof older);
  older.size = offsetof(wslimage_pull_options, format);
  wslimage_file_free(pull_with(client, manifest, path, &older));
  struct {
    wslimage_pull_options known;
    uint64_t beyond;
  } newer;
  memset(&newer, 0, sizeof newer);
  newer.known.size = sizeof newer;
  wslimage_file_free(pull_with(client, manifest, path, &newer.known));
  newer.beyond = 1;
  check_options_refused(client, manifest, &newer.known, "options uses fields that this version");

  const size_t sizes[] = {0, 1, sizeof(wslimage_pull_options) - 1, 4104};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    wslimage_pull_options options = pull_options(WSLIMAGE_FORMAT_TAR_GZ);
    options.size = sizes[i];
    check_options_refused(client, manifest, &options, "options->size is ");
  }
  wslimage_pull_options options = pull_options(4);
  check_options_refused(client, manifest, &options, "options->format is 4, which is no format");
  options = pull_options(WSLIMAGE_FORMAT_TAR_GZ);
  check_options_refused(NULL, manifest, &options, "client is NULL");
  check_options_refused(client, NULL, &options, "manifest is NULL");

  wslimage_manifest_free(manifest);
  wslimage_client_free(client);
  free(path);
}

/* What docker save writes of the two layers, as name:tag. */
static char *saved_image(const char *name)
{
  struct tar lower = lower_layer(), upper = upper_layer(), all = tar_new();
  tar_add(&all, "1/layer.tar", lower.bytes, lower.length);
  tar_add(&all, "2/layer.tar", upper.bytes, upper.length);
  tar_add_text(&all, "config.json", "{\"os\":\"linux\",\"architecture\":\"amd64\"}");
  tar_add_text(&all, "manifest.json",
               "[{\"Config\":\"config.json\",\"RepoTags\":[\"name:tag\"],\"Layers\":[\"1/layer.tar\",\"2/layer.tar\"]}]");
  tar_end(&all);
  char *path = path_of(name);
  CHECK(write_bytes(path, all.bytes, all.length));
  tar_free(&all);
  tar_free(&upper);
  tar_free(&lower);
  return path;
}

static wslimage_local_image local_image(const char *path)
{
  wslimage_local_image image;
  memset(&image, 0, sizeof image);
  image.size = sizeof image;
  image.path = path;
  return image;
}

static wslimage_status resolve_local(const wslimage_local_image *image, wslimage_manifest **manifest,
                                     wslimage_error **error)
{
  wslimage_operation *operation = NULL;
  CHECK_NUMBER(wslimage_manifest_start_local(image, &operation, error), WSLIMAGE_STATUS_OK);
  CHECK(*error == NULL);
  wslimage_status status = wslimage_operation_run(operation, NULL, NULL);
  CHECK_NUMBER(wslimage_operation_take_manifest(operation, manifest, error), status);
  wslimage_operation_free(operation);
  return status;
}

static void an_image_of_a_file_needs_no_client(void)
{
  char *source = saved_image("saved.tar");
  char *path = path_of("from-saved");
  const char *const selections[] = {NULL, "tag", "name:tag"};
  for (size_t i = 0; i < sizeof selections / sizeof *selections; i++) {
    wslimage_local_image image = local_image(source);
    image.selection = selections[i];
    image.platform = i == 0 ? "linux/amd64" : NULL;
    wslimage_manifest *manifest = NULL;
    wslimage_error *error = NULL;
    CHECK_NUMBER(resolve_local(&image, &manifest, &error), WSLIMAGE_STATUS_OK);
    CHECK(error == NULL);
    CHECK_BEGINS(wslimage_manifest_name(manifest), "name:tag in ");
    CHECK_CONTAINS(wslimage_manifest_name(manifest), "saved.tar");
    CHECK(wslimage_manifest_reference(manifest) == NULL);
    CHECK_TEXT(wslimage_manifest_platform(manifest), "linux/amd64");
    CHECK_BEGINS(wslimage_manifest_digest(manifest), "sha256:");
    CHECK_NUMBER(wslimage_manifest_layer_count(manifest), 2);

    wslimage_pull_options options = pull_options(WSLIMAGE_FORMAT_TAR);
    wslimage_file_free(pull_with(NULL, manifest, path, &options));
    CHECK(tar_file_has(path, "etc/kept") && tar_file_has(path, "etc/new") && !tar_file_has(path, "etc/gone"));
    wslimage_manifest_free(manifest);
  }
  CHECK(wslimage_manifest_name(NULL) == NULL);

  /* What is gone when the layers are wanted. */
  wslimage_local_image image = local_image(source);
  wslimage_manifest *manifest = NULL;
  wslimage_error *error = NULL;
  CHECK_NUMBER(resolve_local(&image, &manifest, &error), WSLIMAGE_STATUS_OK);
  remove(source);
  char *unwritten = path_of("unwritten");
  error = pull_error_with(NULL, manifest, unwritten, NULL);
  CHECK_NUMBER(wslimage_error_kind_of(error), WSLIMAGE_ERROR_KIND_FILE);
  wslimage_error_free(error);
  CHECK(nothing_at(unwritten));
  wslimage_manifest_free(manifest);
  free(unwritten);
  free(path);
  free(source);
}

static void check_local_refused(const wslimage_local_image *image, wslimage_status status, const char *message)
{
  wslimage_operation *operation = NULL;
  wslimage_error *error = NULL;
  CHECK_NUMBER(wslimage_manifest_start_local(image, &operation, &error), status);
  CHECK(operation == NULL);
  CHECK_ERROR(error, WSLIMAGE_ERROR_KIND_INVALID_ARGUMENT, WSLIMAGE_STAGE_STARTING, message);
  CHECK_NUMBER(wslimage_manifest_start_local(image, &operation, NULL), status);
}

static void check_no_local_image(const wslimage_local_image *image, uint32_t kind, const char *message)
{
  wslimage_manifest *manifest = NULL;
  wslimage_error *error = NULL;
  CHECK_NUMBER(resolve_local(image, &manifest, &error), WSLIMAGE_STATUS_FAILED);
  CHECK(manifest == NULL);
  if (!CHECK_NUMBER(wslimage_error_kind_of(error), kind)) printf("  the error was: %s\n", wslimage_error_message(error));
  CHECK_CONTAINS(wslimage_error_message(error), message);
  wslimage_error_free(error);
}

static void files_without_the_image_are_refused(void)
{
  char *source = saved_image("refused.tar");
  wslimage_local_image image = local_image(NULL);
  check_local_refused(NULL, WSLIMAGE_STATUS_INVALID_ARGUMENT, "image is NULL");
  check_local_refused(&image, WSLIMAGE_STATUS_INVALID_ARGUMENT, "image->path is NULL");
  image = local_image(NOT_UTF8);
  check_local_refused(&image, WSLIMAGE_STATUS_INVALID_ARGUMENT, "image->path is not UTF-8");
  image = local_image(source);
  image.selection = NOT_UTF8;
  check_local_refused(&image, WSLIMAGE_STATUS_INVALID_ARGUMENT, "image->selection is not UTF-8");
  image = local_image(source);
  image.platform = NOT_UTF8;
  check_local_refused(&image, WSLIMAGE_STATUS_INVALID_ARGUMENT, "image->platform is not UTF-8");
  image.platform = "amd64/";
  check_local_refused(&image, WSLIMAGE_STATUS_FAILED, "");
  image = local_image(source);
  image.size = 1;
  check_local_refused(&image, WSLIMAGE_STATUS_INVALID_ARGUMENT, "image->size is ");
  image = local_image(source);
  CHECK_NUMBER(wslimage_manifest_start_local(&image, NULL, NULL), WSLIMAGE_STATUS_INVALID_ARGUMENT);

  char *missing = path_of("no-such-file.tar");
  image = local_image(missing);
  check_no_local_image(&image, WSLIMAGE_ERROR_KIND_NOT_FOUND, "no-such-file.tar");
  image = local_image(source);
  image.selection = "other";
  check_no_local_image(&image, WSLIMAGE_ERROR_KIND_NOT_FOUND, "name:tag");
  image.selection = NULL;
  image.platform = "linux/s390x";
  check_no_local_image(&image, WSLIMAGE_ERROR_KIND_NO_PLATFORM, "linux/amd64");
  image.platform = "windows/amd64";
  check_no_local_image(&image, WSLIMAGE_ERROR_KIND_UNSUPPORTED_IMAGE, "WSL runs Linux distributions");
  CHECK(write_file(missing, "no archive at all"));
  image = local_image(missing);
  check_no_local_image(&image, WSLIMAGE_ERROR_KIND_INVALID_RESPONSE, "no-such-file.tar");
  free(missing);
  free(source);
}

void archive_tests(void)
{
  RUN(several_layers_become_one_archive);
  RUN(an_archive_is_written_in_each_format);
  RUN(layers_may_not_become_larger_than_allowed);
  RUN(pull_options_of_any_version_are_taken);
  RUN(an_image_of_a_file_needs_no_client);
  RUN(files_without_the_image_are_refused);
}
