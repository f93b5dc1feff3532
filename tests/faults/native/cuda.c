/* A stand-in for libcuda.so.1: one GPU, CUDA 12.8.
 *
 *   STANDIN_CUINIT   what cuInit returns, default 0; "hang" never comes back, "segfault" does not either
 *
 * Like the real one it finds no GPU where CUDA_VISIBLE_DEVICES names none, and as part of a forward-compatibility
 * package, in a folder called compat, it serves no GeForce.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cuInit(unsigned flags) {
  const char *wanted = getenv("STANDIN_CUINIT");
  (void)flags;
  if (wanted && !strcmp(wanted, "hang")) for (;;) pause();
  if (wanted && !strcmp(wanted, "segfault")) raise(SIGSEGV);
  const char *visible = getenv("CUDA_VISIBLE_DEVICES");
  if (visible && (!*visible || *visible == '-')) return 100;
  const char *name = getenv("STANDIN_NAME");
  Dl_info own;
  if (name && strstr(name, "GeForce") && dladdr((void *)cuInit, &own) && strstr(own.dli_fname, "/compat/")) return 804;
  return wanted ? atoi(wanted) : 0;
}
int cuDriverGetVersion(int *version) { return *version = 12080, 0; }
int cuDeviceGetCount(int *count) { return *count = 1, 0; }
int cuGetErrorName(int code, const char **text) { return *text = code == 804 ? "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE" : code == 803 ? "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH" : code == 100 ? "CUDA_ERROR_NO_DEVICE" : code == 999 ? "CUDA_ERROR_UNKNOWN" : "CUDA_ERROR", 0; }
int cuGetErrorString(int code, const char **text) { return *text = code == 804 ? "forward compatibility was attempted on non supported HW" : code == 803 ? "system has unsupported display driver / cuda driver combination" : code == 100 ? "no CUDA-capable device is detected" : "unknown error", 0; }
