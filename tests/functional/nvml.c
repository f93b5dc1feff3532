/* A stand-in for libnvidia-ml.so.1 that the real nvidia-ml-py loads: GPUs as the environment says.
 *
 *   STANDIN_DRIVER   driver version, default 570.124.06; "unmatched" fails as a library of another version does
 *   STANDIN_NAME     name of the GPU, default NVIDIA H200
 *   STANDIN_MIG      1 where MIG mode is on
 *   STANDIN_PIDS     comma-separated processes listed as graphics; "denied" refuses to list; "siblings" are all
 *                    processes that the caller's parent started
 *   STANDIN_GPUS     how many GPUs, default 1; only the first has processes
 *   STANDIN_LOST     index of a GPU that fell off the bus
 *   STANDIN_MODE     compute mode, default 0; 2 is prohibited
 *   STANDIN_THROTTLE bits of the reasons why clocks are held down, default 1: idle
 *   STANDIN_ECC      uncorrected errors; without it the GPU has no ECC
 *   STANDIN_COMPUTE  comma-separated processes listed as compute
 *   STANDIN_CAPABILITY  compute capability, default 9.0
 *   STANDIN_CUDA     "missing" where no libcuda is found
 *
 * Like the real one it does not start where a loaded kernel module is of another version than its own file's name
 * says, nor where /dev/nvidiactl is not there, is not this user's to open, or is kept away by a container's rules.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int result;
enum { OK = 0, NOT_SUPPORTED = 3, NO_PERMISSION = 4, DRIVER_NOT_LOADED = 9, LIBRARY_NOT_FOUND = 12, GPU_IS_LOST = 15, LIB_RM_VERSION_MISMATCH = 18, UNKNOWN = 999 };
typedef struct { unsigned long long total, free, used; } memory;
typedef struct { unsigned gpu, memory; } utilization;
typedef struct { unsigned pid; unsigned long long used; unsigned gi, ci; } process;

static const char *setting(const char *name, const char *otherwise) {
  const char *value = getenv(name);
  return value ? value : otherwise;
}
static result copy(char *to, unsigned size, const char *from) {
  strncpy(to, from, size);
  return OK;
}

static result module_answers(void) {
  char own[4096] = "", line[512] = "";
  Dl_info info;
  FILE *module = fopen("/proc/driver/nvidia/version", "r");
  if (!module) return OK; /* nothing to compare with */
  if (!fgets(line, sizeof line, module)) *line = 0;
  fclose(module);
  const char *version = dladdr((void *)module_answers, &info) && realpath(info.dli_fname, own) ? strstr(own, ".so.") : NULL;
  if (version && strchr(version + 4, '.') && !strstr(line, version + 4)) return LIB_RM_VERSION_MISMATCH;
  int control = open("/dev/nvidiactl", O_RDWR);
  if (control >= 0) return close(control), OK;
  if (errno == ENOENT) return DRIVER_NOT_LOADED;
  if (errno != EACCES && errno != EPERM) return OK; /* the file is there, and this machine has no driver behind it */
  return access("/dev/nvidiactl", R_OK | W_OK) ? NO_PERMISSION : UNKNOWN;
}
result nvmlInitWithFlags(unsigned flags) {
  (void)flags;
  return strcmp(setting("STANDIN_DRIVER", ""), "unmatched") ? module_answers() : LIB_RM_VERSION_MISMATCH;
}
result nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
result nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(result code) {
  return code == LIB_RM_VERSION_MISMATCH ? "Driver/library version mismatch" : code == GPU_IS_LOST ? "GPU is lost" : code == DRIVER_NOT_LOADED ? "Driver Not Loaded" : code == UNKNOWN ? "Unknown Error" : code == NO_PERMISSION ? "Insufficient Permissions" : "Not Supported";
}
result nvmlSystemGetDriverVersion(char *version, unsigned size) { return copy(version, size, setting("STANDIN_DRIVER", "570.124.06")); }
result nvmlSystemGetCudaDriverVersion(int *version) { return *version = 12080, OK; }
result nvmlSystemGetCudaDriverVersion_v2(int *version) {
  *version = 12080;
  return strcmp(setting("STANDIN_CUDA", ""), "missing") ? OK : LIBRARY_NOT_FOUND;
}
result nvmlDeviceGetCount_v2(unsigned *count) { return *count = (unsigned)atoi(setting("STANDIN_GPUS", "1")), OK; }
result nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
  *device = (void *)(size_t)(index + 1);
  return atoi(setting("STANDIN_LOST", "-1")) == (int)index ? GPU_IS_LOST : OK;
}
result nvmlDeviceGetName(void *device, char *name, unsigned size) { return (void)device, copy(name, size, setting("STANDIN_NAME", "NVIDIA H200")); }
result nvmlDeviceGetUUID(void *device, char *uuid, unsigned size) { return (void)device, copy(uuid, size, "GPU-00000000-0000-0000-0000-000000000000"); }
result nvmlDeviceGetCudaComputeCapability(void *device, int *major, int *minor) {
  (void)device;
  return sscanf(setting("STANDIN_CAPABILITY", "9.0"), "%d.%d", major, minor) == 2 ? OK : NOT_SUPPORTED;
}
result nvmlDeviceGetMigMode(void *device, unsigned *current, unsigned *pending) {
  (void)device;
  if (!getenv("STANDIN_MIG")) return NOT_SUPPORTED;
  return *current = *pending = 1, OK;
}
result nvmlDeviceGetMemoryInfo(void *device, memory *info) { return (void)device, info->total = 150ull << 30, info->used = 1ull << 30, info->free = 149ull << 30, OK; }
result nvmlDeviceGetUtilizationRates(void *device, utilization *rates) { return (void)device, rates->gpu = 7, rates->memory = 1, OK; }
result nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *energy) { return (void)device, (void)energy, NOT_SUPPORTED; }
typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char bus_id[32]; } pci;
result nvmlDeviceGetPciInfo_v3(void *device, pci *info) {
  memset(info, 0, sizeof *info);
  snprintf(info->bus_id, sizeof info->bus_id, "00000000:%02X:00.0", 0x16 + (unsigned)(size_t)device);
  return OK;
}
result nvmlDeviceGetComputeMode(void *device, int *mode) { return (void)device, *mode = atoi(setting("STANDIN_MODE", "0")), OK; }
result nvmlDeviceGetDisplayActive(void *device, int *active) { return (void)device, *active = 0, OK; }
result nvmlDeviceGetPersistenceMode(void *device, int *on) { return (void)device, *on = 1, OK; }
result nvmlDeviceGetClockInfo(void *device, int kind, unsigned *mhz) { return (void)device, *mhz = kind == 1 ? 345 : 0, OK; }
result nvmlDeviceGetMaxClockInfo(void *device, int kind, unsigned *mhz) { return (void)device, *mhz = kind == 1 ? 1980 : 0, OK; }
result nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *bits) {
  return (void)device, *bits = strtoull(setting("STANDIN_THROTTLE", "1"), NULL, 0), OK;
}
result nvmlDeviceGetTotalEccErrors(void *device, int kind, int counter, unsigned long long *count) {
  (void)device;
  if (!getenv("STANDIN_ECC")) return NOT_SUPPORTED;
  return *count = kind == 1 && counter == 0 ? strtoull(getenv("STANDIN_ECC"), NULL, 0) : 0, OK;
}
result nvmlDeviceGetTemperature(void *device, int sensor, unsigned *degrees) { return (void)device, *degrees = sensor ? 0 : 41, OK; }
/* Entries as the third form of the lists has them; with -DWIDE_LISTS 8 bytes longer, as drivers 535.43.02 to 535.86
 * wrote them; with -DNO_THIRD_LISTS not there at all, as before 510 and in 535.98. The second form is always there. */
#ifdef WIDE_LISTS
enum { THIRD = sizeof(process) + 8 };
#else
enum { THIRD = sizeof(process) };
#endif
static void put(char *list, size_t stride, unsigned at, unsigned pid, unsigned mib) {
  process one = {pid, (unsigned long long)mib << 20, 0xFFFFFFFF, 0xFFFFFFFF};
  memset(list + at * stride, 0, stride);
  memcpy(list + at * stride, &one, sizeof one);
}
/* The caller's siblings, as many as there is room for; how many there are. */
static unsigned siblings(char *list, size_t stride, unsigned room) {
  DIR *proc = opendir("/proc");
  unsigned found = 0;
  for (struct dirent *entry; proc && (entry = readdir(proc));) {
    char path[300];
    int pid = atoi(entry->d_name), parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *stat = pid ? fopen(path, "r") : NULL;
    if (stat && fscanf(stat, "%*d (%*[^)]) %*c %d", &parent) == 1 && parent == getppid()) {
      if (found < room) put(list, stride, found, (unsigned)pid, 64);
      found++;
    }
    if (stat) fclose(stat);
  }
  if (proc) closedir(proc);
  return found;
}
static result fill(const char *pids, unsigned mib, unsigned *count, char *list, size_t stride) {
  char text[256];
  unsigned found = 0, room = *count;
  copy(text, sizeof text - 1, pids);
  if (!strcmp(pids, "siblings"))
    found = siblings(list, stride, room);
  else
    for (char *pid = strtok(text, ","); pid; pid = strtok(NULL, ","), found++)
      if (found < room) put(list, stride, found, (unsigned)atoi(pid), mib);
  *count = found;
  return found > room ? 7 : OK; /* 7: INSUFFICIENT_SIZE, the caller asks again with room */
}
static result compute(void *device, unsigned *count, void *list, size_t stride) {
  return fill(device == (void *)1 ? setting("STANDIN_COMPUTE", "") : "", 1024, count, list, stride);
}
static result graphics(void *device, unsigned *count, void *list, size_t stride) {
  if (!strcmp(setting("STANDIN_PIDS", ""), "denied") && device == (void *)1) return NO_PERMISSION;
  return fill(device == (void *)1 ? setting("STANDIN_PIDS", "") : "", 64, count, list, stride);
}
#ifndef NO_THIRD_LISTS
result nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, void *list) { return compute(device, count, list, THIRD); }
result nvmlDeviceGetGraphicsRunningProcesses_v3(void *device, unsigned *count, void *list) { return graphics(device, count, list, THIRD); }
#endif
result nvmlDeviceGetComputeRunningProcesses_v2(void *device, unsigned *count, void *list) { return compute(device, count, list, sizeof(process)); }
result nvmlDeviceGetGraphicsRunningProcesses_v2(void *device, unsigned *count, void *list) { return graphics(device, count, list, sizeof(process)); }
