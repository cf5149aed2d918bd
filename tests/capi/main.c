/* The C ABI used from C: every function, and every error that can be brought about.
 *
 * It needs the project's test registry (tests/registry), whose addresses stand in the environment. `./build.sh test capi`
 * compiles it, starts the registry and runs it; `./build.sh test valgrind` runs it under valgrind, with
 * WSLIMAGE_TEST_VALGRIND set, so that what is a matter of milliseconds is left out.
 *
 * Prints one line a test, and `N passed, N failed` last; exit code 1 when something failed. */

#include "harness.h"
#include "registry.h"

int main(void)
{
  if (!registry_is_given()) {
    fprintf(stderr, "WSLIMAGE_TEST_REGISTRY_CONTROL, _HTTP, _HTTPS and _CA say where the test registry is.\n");
    printf("0 passed, 1 failed\n");
    return 1;
  }
  library_tests();
  option_tests();
  reference_tests();
  tag_tests();
  cache_tests();
  pull_tests();
  archive_tests();
  manifest_tests();
  login_tests();
  network_tests();
  failure_tests();
  cancel_tests();
  thread_tests();
  panic_tests();
  return summarise();
}
