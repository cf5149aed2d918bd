/* What Windows does in its way. */

#ifdef _WIN32

#define WIN32_LEAN_AND_MEAN

#include "platform.h"

#include <winsock2.h>
#include <ws2tcpip.h>
#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *what)
{
  fprintf(stderr, "%s: error %lu\n", what, GetLastError());
  exit(2);
}

int64_t now_ms(void)
{
  /* The tick count steps by 15 ms. */
  LARGE_INTEGER count, per_second;
  QueryPerformanceCounter(&count);
  QueryPerformanceFrequency(&per_second);
  return count.QuadPart / per_second.QuadPart * 1000 + count.QuadPart % per_second.QuadPart * 1000 / per_second.QuadPart;
}

unsigned long process_id(void)
{
  return GetCurrentProcessId();
}

struct thread {
  HANDLE handle;
  void (*body)(void *);
  void *argument;
};

static DWORD WINAPI enter(void *given)
{
  thread *started = given;
  started->body(started->argument);
  return 0;
}

thread *thread_start(void (*body)(void *), void *argument)
{
  thread *started = malloc(sizeof *started);
  if (!started) fail("malloc");
  started->body = body;
  started->argument = argument;
  started->handle = CreateThread(NULL, 0, enter, started, 0, NULL);
  if (!started->handle) fail("CreateThread");
  return started;
}

void thread_join(thread *started)
{
  WaitForSingleObject(started->handle, INFINITE);
  CloseHandle(started->handle);
  free(started);
}

uint64_t thread_id(void)
{
  return GetCurrentThreadId();
}

intptr_t connection_open(const char *host, const char *port)
{
  static bool is_started;
  if (!is_started) {
    WSADATA data;
    if (WSAStartup(MAKEWORD(2, 2), &data) != 0) fail("WSAStartup");
    is_started = true;
  }
  struct addrinfo wanted, *found;
  memset(&wanted, 0, sizeof wanted);
  wanted.ai_socktype = SOCK_STREAM;
  if (getaddrinfo(host, port, &wanted, &found) != 0) return -1;
  SOCKET connection = socket(found->ai_family, found->ai_socktype, found->ai_protocol);
  if (connection != INVALID_SOCKET && connect(connection, found->ai_addr, (int)found->ai_addrlen) != 0) {
    closesocket(connection);
    connection = INVALID_SOCKET;
  }
  freeaddrinfo(found);
  return connection == INVALID_SOCKET ? -1 : (intptr_t)connection;
}

bool connection_send(intptr_t connection, const char *bytes, size_t length)
{
  while (length > 0) {
    int sent = send((SOCKET)connection, bytes, length > 65536 ? 65536 : (int)length, 0);
    if (sent <= 0) return false;
    bytes += sent;
    length -= (size_t)sent;
  }
  return true;
}

size_t connection_receive(intptr_t connection, char *bytes, size_t room)
{
  int received = recv((SOCKET)connection, bytes, (int)room, 0);
  return received > 0 ? (size_t)received : 0;
}

void connection_close(intptr_t connection)
{
  closesocket((SOCKET)connection);
}

const char *own_folder(void)
{
  static char path[MAX_PATH + 64];
  if (!path[0]) {
    char parent[MAX_PATH + 1];
    if (GetTempPathA(sizeof parent, parent) == 0) fail("GetTempPath");
    snprintf(path, sizeof path, "%swslimage-capi-%lu-%lld", parent, GetCurrentProcessId(), (long long)now_ms());
    if (!CreateDirectoryA(path, NULL)) fail(path);
  }
  return path;
}

void remove_folder(const char *path)
{
  char name[MAX_PATH * 2];
  snprintf(name, sizeof name, "%s\\*", path);
  WIN32_FIND_DATAA entry;
  HANDLE search = FindFirstFileA(name, &entry);
  if (search != INVALID_HANDLE_VALUE) {
    do {
      if (strcmp(entry.cFileName, ".") == 0 || strcmp(entry.cFileName, "..") == 0) continue;
      snprintf(name, sizeof name, "%s\\%s", path, entry.cFileName);
      if (entry.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY)
        remove_folder(name);
      else
        DeleteFileA(name);
    } while (FindNextFileA(search, &entry));
    FindClose(search);
  }
  RemoveDirectoryA(path);
}

void make_folder(const char *path)
{
  if (!CreateDirectoryA(path, NULL)) fail(path);
}

bool make_read_only_folder(const char *path)
{
  /* The attribute of that name does not keep files out of a folder. */
  CreateDirectoryA(path, NULL);
  return false;
}

static HANDLE kept[2], file;
static const DWORD streams[2] = {STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};

/* Rust writes to these handles, not to the C library's streams. */
void capture_begin(const char *path)
{
  fflush(NULL);
  file = CreateFileA(path, GENERIC_WRITE, FILE_SHARE_READ, NULL, CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
  if (file == INVALID_HANDLE_VALUE) fail(path);
  for (int i = 0; i < 2; i++) {
    kept[i] = GetStdHandle(streams[i]);
    SetStdHandle(streams[i], file);
  }
}

void capture_end(void)
{
  for (int i = 0; i < 2; i++) SetStdHandle(streams[i], kept[i]);
  CloseHandle(file);
}

#endif

/* ISO C forbids an empty file. */
typedef int platform_windows;
