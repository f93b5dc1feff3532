/* A library that calls a function of another one. */
int needed(void);
int standin(void) { return needed(); }
