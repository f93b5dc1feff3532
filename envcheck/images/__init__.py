"""The image that is about to be deployed: judged as it is, with nothing installed in it and nothing left behind."""
