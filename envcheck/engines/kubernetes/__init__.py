"""The Kubernetes engine: a pod for each cell, as indexes of a Job for each driver and image."""
