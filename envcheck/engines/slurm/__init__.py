"""Slurm as an engine: cells become tasks of array jobs; a shared folder carries plans there and deliveries back."""
