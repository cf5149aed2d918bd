/* What POSIX does in its way. */

#ifndef _WIN32

#define _XOPEN_SOURCE 700

#include "platform.h"

#include <fcntl.h>
#include <ftw.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what)
{
  perror(what);
  exit(2);
}

int64_t now_ms(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

unsigned long process_id(void)
{
  return (unsigned long)getpid();
}

struct thread {
  pthread_t id;
  void (*body)(void *);
  void *argument;
};

static void *enter(void *given)
{
  thread *started = given;
  started->body(started->argument);
  return NULL;
}

thread *thread_start(void (*body)(void *), void *argument)
{
  thread *started = malloc(sizeof *started);
  if (!started) fail("malloc");
  started->body = body;
  started->argument = argument;
  if (pthread_create(&started->id, NULL, enter, started) != 0) fail("pthread_create");
  return started;
}

void thread_join(thread *started)
{
  pthread_join(started->id, NULL);
  free(started);
}

uint64_t thread_id(void)
{
  pthread_t id = pthread_self();
  uint64_t number = 0;
  memcpy(&number, &id, sizeof id < sizeof number ? sizeof id : sizeof number);
  return number;
}

intptr_t connection_open(const char *host, const char *port)
{
  struct addrinfo wanted, *found;
  memset(&wanted, 0, sizeof wanted);
  wanted.ai_socktype = SOCK_STREAM;
  if (getaddrinfo(host, port, &wanted, &found) != 0) return -1;
  int connection = socket(found->ai_family, found->ai_socktype, found->ai_protocol);
  if (connection >= 0 && connect(connection, found->ai_addr, found->ai_addrlen) != 0) {
    close(connection);
    connection = -1;
  }
  freeaddrinfo(found);
  return connection;
}

bool connection_send(intptr_t connection, const char *bytes, size_t length)
{
  while (length > 0) {
    ssize_t sent = send((int)connection, bytes, length, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes += sent;
    length -= (size_t)sent;
  }
  return true;
}

size_t connection_receive(intptr_t connection, char *bytes, size_t room)
{
  ssize_t received = recv((int)connection, bytes, room, 0);
  return received > 0 ? (size_t)received : 0;
}

void connection_close(intptr_t connection)
{
  close((int)connection);
}

const char *own_folder(void)
{
  static char path[4096];
  if (!path[0]) {
    const char *parent = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/wslimage-capi-XXXXXX", parent ? parent : "/tmp");
    if (!mkdtemp(path)) fail(path);
  }
  return path;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
  (void)status, (void)kind, (void)where;
  return remove(path);
}

void remove_folder(const char *path)
{
  nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void make_folder(const char *path)
{
  if (mkdir(path, 0777) != 0) fail(path);
}

bool make_read_only_folder(const char *path)
{
  if (mkdir(path, 0555) != 0) fail(path);
  return geteuid() != 0;
}

static int kept[2];

void capture_begin(const char *path)
{
  fflush(NULL);
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (file < 0) fail(path);
  for (int stream = 0; stream < 2; stream++) {
    kept[stream] = dup(stream + 1);
    dup2(file, stream + 1);
  }
  close(file);
}

void capture_end(void)
{
  fflush(NULL);
  for (int stream = 0; stream < 2; stream++) {
    dup2(kept[stream], stream + 1);
    close(kept[stream]);
  }
}

#endif

/* ISO C forbids an empty file. */
typedef int platform_posix;
