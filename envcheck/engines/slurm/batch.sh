#!/bin/sh
# One task of an array job: its cells, one after the other. This text is always the same. What it works on are numbers
# in a file; a cell's content never comes near a shell.
#   $1 the run's folder   $2 the job's number in it   $3 seconds that a cell may take   the rest: the worker's command
folder=$1 job=$2 limit=$3
shift 3
while read -r cell; do
  delivery=$folder/deliveries/$cell.json
  log=$folder/logs/$cell.log
  [ -e "$delivery" ] && continue
  printf '%s %s\n' "$job" "${SLURMD_NODENAME:-?}" 2>/dev/null >"$folder/started/$cell"
  printf '' 2>/dev/null >"$log" || log=/dev/null # the folder is full
  timeout --kill-after=30 "$limit" "$@" --quiet --plan "$folder/plans/$cell.json" --out "$delivery" \
    </dev/null >"$log" 2>&1
  printf '%s %s\n' "$job" "$?" 2>/dev/null >"$folder/ended/$cell"
done <"$folder/batches/$job-$SLURM_ARRAY_TASK_ID"
exit 0
