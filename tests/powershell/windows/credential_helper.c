/* A credential helper as users have them: a program of its own, here docker-credential-NAME.exe. It knows one login, and
   tells it only where it was started without a console window: with a console of its own, which is not shown. */
#include <stdio.h>
#include <string.h>
#include <windows.h>

int main(int count, char **arguments) {
  char server[1024] = "";
  if (count != 2 || strcmp(arguments[1], "get") != 0 || fgets(server, sizeof server, stdin) == NULL) {
    puts("it is not asked as helpers are");
    return 1;
  }
  DWORD processes[2];
  if (GetConsoleWindow() != NULL || GetConsoleProcessList(processes, 2) != 1) {
    puts("it was started with a console window");
    return 1;
  }
  server[strcspn(server, "\r\n")] = '\0';
  printf("{\"ServerURL\":\"%s\",\"Username\":\"helped\",\"Secret\":\"Secr3t\"}\n", server);
  return 0;
}
