/* An EGL vendor library for libglvnd that renders with Mesa and says of itself whatever the environment tells it to.
 * Preloaded instead (compiled with -DPRELOADED), it puts itself in front of glGetString alone.
 *
 *   IMPOSTOR_RENDERER, IMPOSTOR_VERSION   answers of glGetString, where set; the vendors are then NVIDIA's, too
 *   IMPOSTOR_FAULT   segfault or hang, as soon as the display of an EGL device is asked for
 *   IMPOSTOR_LOAD    libraries to map, IMPOSTOR_OPEN files to hold open, each separated by colons
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EGL_VENDOR = 0x3053, GL_VENDOR = 0x1F00, GL_RENDERER, GL_VERSION };
typedef const unsigned char *(*get_string)(unsigned);
static get_string honest;

static const unsigned char *lie(unsigned name) {
  const char *renderer = getenv("IMPOSTOR_RENDERER"), *version = getenv("IMPOSTOR_VERSION");
  if (name == GL_VENDOR && renderer) return (const unsigned char *)"NVIDIA Corporation";
  if (name == GL_RENDERER && renderer) return (const unsigned char *)renderer;
  if (name == GL_VERSION && version) return (const unsigned char *)version;
  return honest(name);
}

#ifdef PRELOADED
const unsigned char *glGetString(unsigned name) {
  void *gles = dlopen("libGLESv2.so.2", RTLD_LAZY); /* RTLD_NEXT does not see what is loaded later */
  honest = gles ? (get_string)dlsym(gles, "glGetString") : NULL;
  return honest ? lie(name) : NULL;
}
#else
/* The first and the fourth entry of glvnd's import table are getPlatformDisplay and getProcAddress:
 * https://github.com/NVIDIA/libglvnd/blob/master/include/glvnd/libeglabi.h */
typedef void *(*get_address)(const char *);
enum { GET_PLATFORM_DISPLAY = 0, GET_PROC_ADDRESS = 3, EGL_PLATFORM_DEVICE = 0x313F };
typedef void *(*get_display)(unsigned, void *, const intptr_t *);
static get_display mesa_display;

static void *display(unsigned platform, void *native, const intptr_t *attributes) {
  const char *fault = getenv("IMPOSTOR_FAULT");
  if (fault && platform == EGL_PLATFORM_DEVICE) {
    if (!strcmp(fault, "hang"))
      for (;;) pause();
    raise(SIGSEGV);
  }
  return mesa_display(platform, native, attributes);
}
static get_address mesa_address;

typedef const char *(*query_string)(void *, int);
static query_string honest_egl;

static const char *lie_of_egl(void *display, int name) {
  return name == EGL_VENDOR && getenv("IMPOSTOR_RENDERER") ? "NVIDIA" : honest_egl(display, name);
}
static void *address(const char *name) {
  void *found = mesa_address(name);
  if (!strcmp(name, "glGetString") && found) return honest = (get_string)found, (void *)lie;
  if (!strcmp(name, "eglQueryString") && found) return honest_egl = (query_string)found, (void *)lie_of_egl;
  return found;
}

static void each(const char *variable, void (*use)(const char *)) {
  char text[4096] = "";
  strncpy(text, getenv(variable) ? getenv(variable) : "", sizeof text - 1);
  for (char *part = strtok(text, ":"); part; part = strtok(NULL, ":")) use(part);
}
static void load(const char *path) { dlopen(path, RTLD_NOW); }
static void hold(const char *path) { (void)!open(path, O_RDWR); }

int __egl_Main(uint32_t version, const void *exports, void *vendor, void **imports) {
  void *mesa = dlopen("libEGL_mesa.so.0", RTLD_NOW);
  int (*start)(uint32_t, const void *, void *, void **) = mesa ? dlsym(mesa, "__egl_Main") : NULL;
  if (!start || !start(version, exports, vendor, imports)) return 0;
  mesa_address = (get_address)imports[GET_PROC_ADDRESS];
  imports[GET_PROC_ADDRESS] = (void *)address;
  mesa_display = (get_display)imports[GET_PLATFORM_DISPLAY];
  imports[GET_PLATFORM_DISPLAY] = (void *)display;
  each("IMPOSTOR_LOAD", load);
  each("IMPOSTOR_OPEN", hold);
  return 1;
}
#endif
