#!/bin/sh
# Errors of every layer kind, network, sampler and picture against diffusers, from the files in
# Tests/Fixtures. The last line has the number of figures and the one nearest to its bound; exits with 1
# when a test fails. Usage: Benchmarks/show-fixtures.sh [SWIFT TEST OPTIONS]
set -eu
figures=$(mktemp)
trap 'rm -f "$figures"' EXIT
status=0
GROUNDWELL_FIGURES=$figures swift test "$@" --filter 'LayerFixtureTests|DiffusionFixtureTests|TokenizerTests' \
  >"$figures.log" 2>&1 || status=$?
[ "$status" -eq 0 ] || cat "$figures.log"
rm -f "$figures.log"
sort -t "$(printf '\t')" -k3 "$figures" | awk -F '\t' '
  { share = $2 > 0 ? $1 / $2 : ($1 > 0 ? 2 : 0); printf "%-52s %.2e (bound %.0e)\n", $3, $1, $2
    if (share >= worst) { worst = share; name = $3; figure = $1; bound = $2 } ; if ($1 > $2) over++ }
  END { printf "show-fixtures: %s: %d figures, nearest to its bound: %s %.2e (bound %.0e)\n",
    (over || '"$status"' || !NR) ? "SHORT" : "ok", NR, name, figure, bound; exit over || '"$status"' || !NR }'
