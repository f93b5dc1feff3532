/* A library that ends in a segmentation fault as soon as it is loaded. */
#include <signal.h>
__attribute__((constructor)) static void crash(void) { raise(SIGSEGV); }
