/* An EGL vendor library for libglvnd that misbehaves as VENDOR_FAULT says, as soon as it is loaded by an EGL call. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int __egl_Main(unsigned version, const void *exports, void *vendor, void *imports) {
  const char *fault = getenv("VENDOR_FAULT");
  (void)version, (void)exports, (void)vendor, (void)imports;
  if (!fault) return 0;
  if (!strcmp(fault, "segfault")) raise(SIGSEGV);
  if (!strcmp(fault, "kill")) raise(SIGKILL);
  if (!strcmp(fault, "hang"))
    for (;;) pause();
  if (!strcmp(fault, "exit")) _exit(0);
  if (!strcmp(fault, "stdout")) /* garbage on every descriptor that could be the channel to the caller */
    for (int i = 0; i < 100000; i++)
      for (int fd = 1; fd < 12; fd++)
        if (write(fd, "{\"say\": \"ran\"}\n", 15) < 0) continue;
  return 0;
}
