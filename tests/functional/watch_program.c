/* A program that looks from outside like one that uses a GPU: `watch_program SECONDS FILE…`.
 *
 * Files that hold ".so" are loaded as libraries, others are opened, and it holds them all for so many seconds while it
 * uses a little CPU time. "egl" makes a real EGL context and draws with it all the time.
 */
#include <EGL/egl.h>
#include <GLES2/gl2.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}
static void *need(void *found, const char *what) {
  if (!found) fprintf(stderr, "no %s\n", what), exit(3);
  return found;
}
static void make_context(void) {
  static const EGLint wanted[] = {EGL_SURFACE_TYPE, EGL_PBUFFER_BIT, EGL_RENDERABLE_TYPE, EGL_OPENGL_ES2_BIT, EGL_NONE};
  static const EGLint size[] = {EGL_WIDTH, 512, EGL_HEIGHT, 512, EGL_NONE}, version[] = {EGL_CONTEXT_CLIENT_VERSION, 2, EGL_NONE};
  EGLConfig config;
  EGLint count;
  EGLDisplay display = eglGetDisplay(EGL_DEFAULT_DISPLAY);
  if (!eglInitialize(display, NULL, NULL) || !eglChooseConfig(display, wanted, &config, 1, &count) || count < 1) need(NULL, "EGL");
  EGLSurface surface = eglCreatePbufferSurface(display, config, size);
  EGLContext context = eglCreateContext(display, config, EGL_NO_CONTEXT, version);
  if (!eglMakeCurrent(display, surface, surface, context)) need(NULL, "context");
}
static void draw(int frame) {
  for (int i = 0; i < 50; i++) {
    glClearColor((frame + i) % 7 / 7.f, 0, 0, 1);
    glEnable(GL_SCISSOR_TEST);
    glScissor(i, i, 400, 400);
    glClear(GL_COLOR_BUFFER_BIT);
  }
  glFinish();
}
int main(int count, char **arguments) {
  double end = now() + atof(count > 1 ? arguments[1] : "1");
  int drawing = 0;
  for (int i = 2; i < count; i++) {
    if (!strcmp(arguments[i], "egl")) drawing = 1, make_context();
    else if (strstr(arguments[i], ".so")) need(dlopen(arguments[i], RTLD_NOW), dlerror());
    else if (open(arguments[i], O_RDWR) < 0) need(NULL, arguments[i]);
  }
  for (volatile unsigned spin = 0; now() < end;) {
    if (drawing) draw(spin++);
    else {
      for (unsigned i = 0; i < 300000; i++) spin += i;
      usleep(20000);
    }
  }
  return 0;
}
