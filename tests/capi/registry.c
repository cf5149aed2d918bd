/* The test registry: a few lines of HTTP. */

#include "registry.h"

#include <stdlib.h>
#include <time.h>

#include "harness.h"
#include "platform.h"

bool registry_is_given(void)
{
  return getenv("WSLIMAGE_TEST_REGISTRY_CONTROL") && registry_http() && registry_https() && registry_ca();
}

const char *registry_http(void)
{
  return getenv("WSLIMAGE_TEST_REGISTRY_HTTP");
}

const char *registry_https(void)
{
  return getenv("WSLIMAGE_TEST_REGISTRY_HTTPS");
}

const char *registry_ca(void)
{
  return getenv("WSLIMAGE_TEST_REGISTRY_CA");
}

const char *run_id(void)
{
  static char id[32];
  if (!id[0]) snprintf(id, sizeof id, "%012llx%08lx", (unsigned long long)time(NULL), process_id());
  return id;
}

char *repository_of(const char *test)
{
  return text("capi/%s-%s", test, run_id());
}

/* All that comes until the other end closes; the caller frees it. */
static char *receive_all(intptr_t connection)
{
  size_t length = 0, room = 4096;
  char *all = malloc(room);
  for (;;) {
    if (!all) exit(2);
    size_t received = connection_receive(connection, all + length, room - length - 1);
    if (received == 0) break;
    length += received;
    if (room - length < 2) all = realloc(all, room *= 2);
  }
  all[length] = '\0';
  return all;
}

char *registry_ask(const char *method, const char *path, const char *body)
{
  const char *address = getenv("WSLIMAGE_TEST_REGISTRY_CONTROL");
  const char *host_and_port = strstr(address, "://");
  char *host = text("%s", host_and_port ? host_and_port + 3 : address);
  char *port = strrchr(host, ':');
  *port++ = '\0';
  intptr_t connection = connection_open(host, port);
  if (!CHECK(connection != -1)) {
    free(host);
    return text("%s", "");
  }
  char *request = text("%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Type: application/json\r\n"
                       "Content-Length: %zu\r\n\r\n%s",
                       method, path, host, strlen(body), body);
  CHECK(connection_send(connection, request, strlen(request)));
  char *answer = receive_all(connection);
  connection_close(connection);
  char *content = strstr(answer, "\r\n\r\n");
  if (!CHECK(strncmp(answer, "HTTP/1.1 2", 10) == 0)) printf("  %s %s: %s\n", method, path, answer);
  content = text("%s", content ? content + 4 : "");
  free(answer);
  free(request);
  free(host);
  return content;
}

void registry_tell(const char *method, const char *path, char *body)
{
  free(registry_ask(method, path, body));
  free(body);
}

void add_image(const char *repository, const char *auth, const char *layer)
{
  registry_tell("POST", "/images",
                text("{\"repository\":\"%s\",\"auth\":%s,\"platforms\":[{\"platform\":{\"os\":\"linux\","
                     "\"architecture\":\"amd64\"},\"layers\":[{\"text\":\"%s\"}]}]}",
                     repository, auth ? auth : "{\"scheme\":\"none\"}", layer));
}

void add_platforms(const char *repository, const char *platforms)
{
  registry_tell("POST", "/images", text("{\"repository\":\"%s\",\"platforms\":[%s]}", repository, platforms));
}

void add_image_with_layer_step(const char *repository, const char *layer, const char *step)
{
  char *blob = text("{\"repository\":\"%s\",\"blob\":{\"text\":\"%s\"}}", repository, layer);
  char *answer = registry_ask("POST", "/blobs", blob);
  char *digest = member_after(answer, "", "digest");
  add_image(repository, NULL, layer);
  if (CHECK(digest != NULL)) {
    char *path = text("/v2/%s/blobs/%s", repository, digest);
    add_route(path, step);
    free(path);
  }
  free(digest);
  free(answer);
  free(blob);
}

void add_route(const char *path, const char *step)
{
  registry_tell("POST", "/routes", text("{\"path\":\"%s\",\"steps\":[%s]}", path, step));
}

void delete_route(const char *path)
{
  char *request = text("/routes?path=%s", path);
  registry_tell("DELETE", request, text("%s", ""));
  free(request);
}

void wait_for_request(const char *path)
{
  char *request = text("/wait?path=%s&timeoutMs=60000", path);
  registry_tell("GET", request, text("%s", ""));
  free(request);
}

int count_requests(const char *path, const char *description)
{
  char *request = text("/log?path=%s", path);
  char *log = registry_ask("GET", request, "");
  int count = 0;
  for (char *found = log; (found = strstr(found, description)) != NULL; found++) count++;
  free(log);
  free(request);
  return count;
}

char *member_after(const char *json, const char *after, const char *name)
{
  char *key = text("\"%s\":\"", name);
  const char *begin = strstr(json, after);
  if (begin) begin = strstr(begin, key);
  char *value = NULL;
  if (begin) {
    begin += strlen(key);
    value = text("%.*s", (int)strcspn(begin, "\""), begin);
  }
  free(key);
  return value;
}
