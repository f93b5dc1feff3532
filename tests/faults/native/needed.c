/* What a library is linked with, and what is not there when it is loaded. */
int needed(void) { return 0; }
