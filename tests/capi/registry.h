/* The test registry: tests/registry/README.md describes what is sent to it. */

#ifndef REGISTRY_H
#define REGISTRY_H

#include <stdbool.h>

bool registry_is_given(void);
/* HOST:PORT of the listener without and with TLS, and the certificate of who signed for it. */
const char *registry_http(void);
const char *registry_https(void);
const char *registry_ca(void);

/* What this run has in its names and no other: the registry may have served one before, on another system too. All
 * have the same length, so that none is the beginning of another. */
const char *run_id(void);

/* A repository that no other test and no other run uses; the caller frees it. */
char *repository_of(const char *test);

/* Asks the control listener. The body of the answer, which the caller frees; a status other than 2xx is a failed
 * check. */
char *registry_ask(const char *method, const char *path, const char *body);
/* The same without reading the answer; frees body. */
void registry_tell(const char *method, const char *path, char *body);

/* An image with one layer of this text for linux/amd64, under latest. auth is JSON, or NULL for everybody. */
void add_image(const char *repository, const char *auth, const char *layer);
/* An image of these members of `platforms`. */
void add_platforms(const char *repository, const char *platforms);
/* An image of one layer of this text, served as this step (JSON) says; stays until the repository is forgotten. */
void add_image_with_layer_step(const char *repository, const char *layer, const char *step);
void add_route(const char *path, const char *step);
void delete_route(const char *path);
/* Waits until this path was asked for. */
void wait_for_request(const char *path);
/* How many requests of this path's beginning hold the text in their description. */
int count_requests(const char *path, const char *description);

/* The string member of this name that comes first after `after` in the JSON; the caller frees it, NULL for none. */
char *member_after(const char *json, const char *after, const char *name);

#endif
