"""Where cells run: `local` runs them here, others place them on other machines.

`engine` says what an engine is, `plans` what goes to a worker and what comes back, `dispatch` drives any of them.
"""
