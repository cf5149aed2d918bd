/* What POSIX and Windows do in different ways. */

#ifndef PLATFORM_H
#define PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Milliseconds of a clock that never goes back. */
int64_t now_ms(void);
unsigned long process_id(void);

typedef struct thread thread;
thread *thread_start(void (*body)(void *), void *argument);
void thread_join(thread *started);
/* A number that no other living thread has. */
uint64_t thread_id(void);

/* A connection to this machine; -1 for none. */
intptr_t connection_open(const char *host, const char *port);
bool connection_send(intptr_t connection, const char *bytes, size_t length);
/* How many bytes came; 0 at the end and for an error. */
size_t connection_receive(intptr_t connection, char *bytes, size_t room);
void connection_close(intptr_t connection);

/* This run's own folder, made when it is asked for first. */
const char *own_folder(void);
void remove_folder(const char *path);
/* Makes a folder in one that is there. */
void make_folder(const char *path);
/* Makes a folder in which nobody may write; false where this user may write everywhere. */
bool make_read_only_folder(const char *path);

/* Standard output and standard error go to a file until the end of it. */
void capture_begin(const char *path);
void capture_end(void);

#endif
