/* A stand-in for libnvidia-ml.so.1, for `envcheck watch`: one GPU that sees processes by their name, as it happens.
 *
 *   STANDIN_COMM   name (/proc/PID/comm) of the processes that are listed and work
 *   STANDIN_LIST   graphics (default), compute, none, or denied
 *   STANDIN_SM     percent of the GPU at which they work, default 30; 0 means that they only hold a context;
 *                  "unsupported" is a driver that does not tell
 *   STANDIN_SLOW   seconds that each question takes
 *   STANDIN_WATTS  power, default 90; energy counts up with it
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef int result;
enum { OK = 0, NOT_SUPPORTED = 3, NO_PERMISSION = 4, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7 };
typedef struct { unsigned long long total, free, used; } memory;
typedef struct { unsigned gpu, memory; } utilization;
typedef struct { unsigned pid; unsigned long long used; unsigned gi, ci; } process;
typedef struct { unsigned pid; unsigned long long at; unsigned sm, memory, encoder, decoder; } work;
enum { MOST = 64 };

static const char *setting(const char *name, const char *otherwise) {
  const char *value = getenv(name);
  return value ? value : otherwise;
}
static result copy(char *to, unsigned size, const char *from) { return strncpy(to, from, size), OK; }
static unsigned long long now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1000000ull + now.tv_nsec / 1000;
}
static unsigned named(unsigned *pids) {
  unsigned found = 0;
  DIR *proc = opendir("/proc");
  for (struct dirent *entry; proc && (entry = readdir(proc)) && found < MOST;) {
    char path[300], comm[64] = "";
    snprintf(path, sizeof path, "/proc/%s/comm", entry->d_name);
    FILE *file = atoi(entry->d_name) ? fopen(path, "r") : NULL;
    if (file && fgets(comm, sizeof comm, file)) {
      comm[strcspn(comm, "\n")] = 0;
      if (!strcmp(comm, setting("STANDIN_COMM", "-"))) pids[found++] = atoi(entry->d_name);
    }
    if (file) fclose(file);
  }
  if (proc) closedir(proc);
  return found;
}
static result listed(const char *kind, unsigned *count, process *list) {
  unsigned pids[MOST], room = *count, found = named(pids);
  if (!strcmp(setting("STANDIN_LIST", ""), "denied")) return NO_PERMISSION;
  if (strcmp(setting("STANDIN_LIST", "graphics"), kind)) found = 0;
  for (unsigned i = 0; i < found && i < room; i++) list[i] = (process){pids[i], 64ull << 20, ~0u, ~0u};
  *count = found;
  return found > room ? INSUFFICIENT_SIZE : OK;
}

result nvmlInitWithFlags(unsigned flags) { return (void)flags, OK; }
result nvmlInit_v2(void) { return OK; }
result nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(result code) { return code == NO_PERMISSION ? "Insufficient Permissions" : code == NOT_FOUND ? "Not Found" : "Not Supported"; }
result nvmlDeviceGetCount_v2(unsigned *count) { return sleep(atoi(setting("STANDIN_SLOW", "0"))), *count = 1, OK; }
result nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) { return (void)index, *device = (void *)1, OK; }
result nvmlDeviceGetMemoryInfo(void *device, memory *info) { return (void)device, info->total = 150ull << 30, info->used = 1ull << 30, info->free = 149ull << 30, OK; }
result nvmlDeviceGetUtilizationRates(void *device, utilization *rates) {
  unsigned pids[MOST];
  return (void)device, rates->gpu = named(pids) ? atoi(setting("STANDIN_SM", "30")) : 0, rates->memory = 1, OK;
}
result nvmlDeviceGetTotalEnergyConsumption(void *device, unsigned long long *energy) {
  return (void)device, *energy = now_us() / 1000 * atoi(setting("STANDIN_WATTS", "90")), OK;
}
result nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, process *list) { return (void)device, listed("compute", count, list); }
result nvmlDeviceGetGraphicsRunningProcesses_v3(void *device, unsigned *count, process *list) { return (void)device, listed("graphics", count, list); }
result nvmlDeviceGetProcessUtilization(void *device, work *list, unsigned *count, unsigned long long since) {
  unsigned pids[MOST], found = named(pids), room = *count, sm = atoi(setting("STANDIN_SM", "30"));
  (void)device, (void)since;
  if (!strcmp(setting("STANDIN_SM", ""), "unsupported")) return NOT_SUPPORTED;
  if (!found || !sm) return NOT_FOUND;
  *count = found;
  if (!list || found > room) return INSUFFICIENT_SIZE;
  for (unsigned i = 0; i < found; i++) list[i] = (work){pids[i], now_us(), sm, 1, 0, 0};
  return OK;
}
