"""Where cells run. `local` runs them here; other engines place them on other machines."""
