/* A stand-in for libnvidia-ml.so.1 that the real nvidia-ml-py loads: one GPU, as the environment says.
 *
 *   STANDIN_DRIVER   driver version, default 570.124.06; "unmatched" fails as a library of another version does
 *   STANDIN_NAME     name of the GPU, default NVIDIA H200
 *   STANDIN_MIG      1 where MIG mode is on
 *   STANDIN_PIDS     comma-separated processes listed as graphics; "denied" refuses to list
 */
#include <stdlib.h>
#include <string.h>

typedef int result;
enum { OK = 0, NOT_SUPPORTED = 3, NO_PERMISSION = 4, LIB_RM_VERSION_MISMATCH = 18 };
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

result nvmlInitWithFlags(unsigned flags) {
  (void)flags;
  return strcmp(setting("STANDIN_DRIVER", ""), "unmatched") ? OK : LIB_RM_VERSION_MISMATCH;
}
result nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
result nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(result code) {
  return code == LIB_RM_VERSION_MISMATCH ? "Driver/library version mismatch" : code == NO_PERMISSION ? "Insufficient Permissions" : "Not Supported";
}
result nvmlSystemGetDriverVersion(char *version, unsigned size) { return copy(version, size, setting("STANDIN_DRIVER", "570.124.06")); }
result nvmlSystemGetCudaDriverVersion_v2(int *version) { return *version = 12080, OK; }
result nvmlDeviceGetCount_v2(unsigned *count) { return *count = 1, OK; }
result nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) { return (void)index, *device = (void *)1, OK; }
result nvmlDeviceGetName(void *device, char *name, unsigned size) { return (void)device, copy(name, size, setting("STANDIN_NAME", "NVIDIA H200")); }
result nvmlDeviceGetUUID(void *device, char *uuid, unsigned size) { return (void)device, copy(uuid, size, "GPU-00000000-0000-0000-0000-000000000000"); }
result nvmlDeviceGetCudaComputeCapability(void *device, int *major, int *minor) { return (void)device, *major = 9, *minor = 0, OK; }
result nvmlDeviceGetMigMode(void *device, unsigned *current, unsigned *pending) {
  (void)device;
  if (!getenv("STANDIN_MIG")) return NOT_SUPPORTED;
  return *current = *pending = 1, OK;
}
result nvmlDeviceGetMemoryInfo(void *device, memory *info) { return (void)device, info->total = 150ull << 30, info->used = 1ull << 30, info->free = 149ull << 30, OK; }
result nvmlDeviceGetUtilizationRates(void *device, utilization *rates) { return (void)device, rates->gpu = 7, rates->memory = 1, OK; }
result nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *energy) { return (void)device, (void)energy, NOT_SUPPORTED; }
result nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, process *list) { return (void)device, (void)list, *count = 0, OK; }
result nvmlDeviceGetGraphicsRunningProcesses_v3(void *device, unsigned *count, process *list) {
  char text[256];
  unsigned found = 0, room = *count;
  (void)device;
  if (!strcmp(setting("STANDIN_PIDS", ""), "denied")) return NO_PERMISSION;
  copy(text, sizeof text - 1, setting("STANDIN_PIDS", ""));
  for (char *pid = strtok(text, ","); pid; pid = strtok(NULL, ","), found++)
    if (found < room) list[found] = (process){(unsigned)atoi(pid), 64ull << 20, 0xFFFFFFFF, 0xFFFFFFFF};
  *count = found;
  return found > room ? 7 : OK; /* 7: INSUFFICIENT_SIZE, the caller asks again with room */
}
