/* A library with nothing in it: what counts is its name and that it loads. */
int standin;
