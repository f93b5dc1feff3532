/* A stand-in for libEGL_nvidia.so.0: glvnd loads it, Mesa renders, and it calls itself NVIDIA's. Like the real one it
 * gives no display where its device files cannot be opened, the kernel module is of another version, or the libraries
 * that it stands on are not beside it; and like the real one it asks the display server that DISPLAY names.
 *
 *   STANDIN_EGL        what goes wrong as soon as an EGL call loads it: segfault, kill, hang, exit, stdout;
 *                      "abstain" refuses every display, "trust" gives one without a look at the driver,
 *                      "no-config" gives one that has no off-screen surfaces
 *   STANDIN_MIG, STANDIN_LOST, STANDIN_GPUS   as NVML's: a GPU in MIG mode, a lost one or none gives no display
 *   STANDIN_RENDERER   its GL_RENDERER, default NVIDIA H200/PCIe/SSE2; "honest" tells Mesa's
 *   STANDIN_GL         its GL_VERSION, default OpenGL ES 3.2 NVIDIA 570.124.06
 *   STANDIN_LOAD       libraries to map, STANDIN_OPEN files to hold open, each separated by colons
 *
 * The import table is glvnd's: https://github.com/NVIDIA/libglvnd/blob/master/include/glvnd/libeglabi.h
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EGL_NONE = 0x3038, EGL_VENDOR = 0x3053, EGL_EXTENSIONS = 0x3055, SURFACELESS = 0x31DD, DEVICE = 0x313F };
enum { DRM_DEVICE_FILE = 0x3233, CUDA_DEVICE = 0x323A };
enum { GL_VENDOR = 0x1F00, GL_RENDERER, GL_VERSION };
enum { GET_PLATFORM_DISPLAY, GET_SUPPORTS_API, GET_VENDOR_STRING, GET_PROC_ADDRESS };

static void *(*mesa_display)(unsigned, void *, const intptr_t *);
static void *(*mesa_address)(const char *);
static const unsigned char *(*mesa_gl)(unsigned);
static const char *(*mesa_egl)(void *, int);

static const char *setting(const char *name, const char *otherwise) {
  const char *value = getenv(name);
  return value ? value : otherwise;
}
static int honest(void) { return !strcmp(setting("STANDIN_RENDERER", ""), "honest"); }

static const unsigned char *gl_string(unsigned name) {
  if (honest()) return mesa_gl(name);
  if (name == GL_VENDOR) return (const unsigned char *)"NVIDIA Corporation";
  if (name == GL_RENDERER) return (const unsigned char *)setting("STANDIN_RENDERER", "NVIDIA H200/PCIe/SSE2");
  if (name == GL_VERSION) return (const unsigned char *)setting("STANDIN_GL", "OpenGL ES 3.2 NVIDIA 570.124.06");
  return mesa_gl(name);
}
static const char *egl_string(void *display, int name) { return name == EGL_VENDOR && !honest() ? "NVIDIA" : mesa_egl(display, name); }

/* A device file of a driver that this machine does not have is there and cannot be served: ENXIO. */
static int opens(const char *path) {
  int file = open(path, O_RDWR);
  return file >= 0 ? !close(file) : errno == ENXIO;
}
static int has_gpu(void) { return !getenv("STANDIN_MIG") && !getenv("STANDIN_LOST") && atoi(setting("STANDIN_GPUS", "1")); }
static int driver_fits(void) {
  char own[4096] = "", core[4200], line[512] = "";
  Dl_info info;
  if (!dladdr((void *)driver_fits, &info) || !realpath(info.dli_fname, own)) return 0;
  const char *version = strstr(own, ".so.");
  FILE *module = fopen("/proc/driver/nvidia/version", "r");
  if (!version || !module || !fgets(line, sizeof line, module) || !strstr(line, version + 4)) return 0;
  fclose(module);
  for (int i = 0; i < 2; i++) {
    int folder = (int)(strrchr(own, '/') - own);
    snprintf(core, sizeof core, "%.*s/libnvidia-%s%s", folder, own, i ? "glsi" : "eglcore", version);
    if (access(core, R_OK)) return 0;
  }
  return has_gpu() && opens("/dev/nvidiactl") && opens("/dev/nvidia0");
}

/* One EGL device of our own: glvnd finds the vendor by the handle, so Mesa's own handles cannot be lent. */
static int device;
static unsigned query_devices(int room, void **devices, int *count) {
  if (strcmp(setting("STANDIN_EGL", ""), "trust") && !driver_fits()) return *count = 0, 1;
  if (devices && room > 0) devices[0] = &device;
  return *count = 1, 1;
}
static const char *device_string(void *asked, int name) {
  (void)asked;
  return name == EGL_EXTENSIONS ? "EGL_EXT_device_drm EGL_NV_device_cuda" : name == DRM_DEVICE_FILE ? "/dev/dri/card0" : NULL;
}
static unsigned device_attribute(void *asked, int name, intptr_t *value) { return (void)asked, name == CUDA_DEVICE ? (*value = 0, 1) : 0; }

static void *display(unsigned platform, void *native, const intptr_t *attributes) {
  int steered = getenv("DISPLAY") || getenv("WAYLAND_DISPLAY");
  int ours = platform == DEVICE ? native == &device : platform == EGL_NONE && !native && !steered;
  if (!strcmp(setting("STANDIN_EGL", ""), "abstain")) return NULL;
  if (strcmp(setting("STANDIN_EGL", ""), "trust") && !driver_fits()) return NULL;
  return ours ? mesa_display(SURFACELESS, NULL, NULL) : mesa_display(platform, native, attributes);
}
/* As a display for windows alone: whoever wants a pbuffer finds nothing. */
enum { SURFACE_TYPE = 0x3033, PBUFFER_BIT = 1 };
static unsigned (*mesa_choose)(void *, const int *, void **, int, int *);
static unsigned choose(void *display, const int *wanted, void **configs, int room, int *count) {
  for (const int *one = wanted; one && *one != EGL_NONE; one += 2)
    if (one[0] == SURFACE_TYPE && one[1] & PBUFFER_BIT) return *count = 0, 1;
  return mesa_choose(display, wanted, configs, room, count);
}
static void *address(const char *name) {
  void *found = mesa_address(name);
  if (!strcmp(name, "eglChooseConfig") && !strcmp(setting("STANDIN_EGL", ""), "no-config"))
    return mesa_choose = (unsigned (*)(void *, const int *, void **, int, int *))found, (void *)choose;
  if (!strcmp(name, "eglQueryDevicesEXT")) return (void *)query_devices;
  if (!strcmp(name, "eglQueryDeviceStringEXT")) return (void *)device_string;
  if (!strcmp(name, "eglQueryDeviceAttribEXT")) return (void *)device_attribute;
  if (found && !strcmp(name, "glGetString")) return mesa_gl = (const unsigned char *(*)(unsigned))found, (void *)gl_string;
  if (found && !strcmp(name, "eglQueryString")) return mesa_egl = (const char *(*)(void *, int))found, (void *)egl_string;
  return found;
}

static void each(const char *variable, void (*use)(const char *)) {
  char text[4096] = "";
  strncpy(text, setting(variable, ""), sizeof text - 1);
  for (char *part = strtok(text, ":"); part; part = strtok(NULL, ":")) use(part);
}
static void load(const char *path) { dlopen(path, RTLD_NOW); }
static void hold(const char *path) { (void)!open(path, O_RDWR); }

static void go_wrong(const char *fault) {
  if (!strcmp(fault, "segfault")) raise(SIGSEGV);
  if (!strcmp(fault, "kill")) raise(SIGKILL);
  if (!strcmp(fault, "exit")) _exit(0);
  if (!strcmp(fault, "hang"))
    for (;;) pause();
  if (!strcmp(fault, "stdout")) /* garbage on every descriptor that could be the channel to the caller */
    for (int i = 0; i < 100000; i++)
      for (int fd = 1; fd < 12; fd++)
        if (write(fd, "{\"say\": \"ran\"}\n", 15) < 0) continue;
}

int __egl_Main(uint32_t version, const void *exports, void *vendor, void **imports) {
  go_wrong(setting("STANDIN_EGL", ""));
  void *mesa = dlopen("libEGL_mesa.so.0", RTLD_NOW);
  int (*start)(uint32_t, const void *, void *, void **) = mesa ? (int (*)(uint32_t, const void *, void *, void **))dlsym(mesa, "__egl_Main") : NULL;
  if (!start || !start(version, exports, vendor, imports)) return 0;
  mesa_address = (void *(*)(const char *))imports[GET_PROC_ADDRESS];
  mesa_display = (void *(*)(unsigned, void *, const intptr_t *))imports[GET_PLATFORM_DISPLAY];
  imports[GET_PROC_ADDRESS] = (void *)address;
  imports[GET_PLATFORM_DISPLAY] = (void *)display;
  each("STANDIN_LOAD", load);
  each("STANDIN_OPEN", hold);
  return 1;
}
