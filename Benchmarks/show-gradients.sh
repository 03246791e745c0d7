#!/bin/sh
# The grounding module's forward and gradients against PyTorch's, from the files in
# Tests/Fixtures/grounding; every gradient against finite differences; eight triplets learned by heart;
# a resumed run against an uninterrupted one. The last line has the number of figures and the one nearest
# to its bound; exits with 1 when one falls short. Usage: Benchmarks/show-gradients.sh [TEST OPTIONS]
set -eu
figures=$(mktemp)
trap 'rm -f "$figures" "$figures.log"' EXIT
status=0
GROUNDWELL_FIGURES=$figures swift test "$@" \
  --filter 'GradientFixtureTests|FiniteDifferenceTests|GroundingModuleTests|TrainerTests' \
  >"$figures.log" 2>&1 || status=$?
[ "$status" -eq 0 ] || cat "$figures.log"
sort -t "$(printf '\t')" -k3 "$figures" | awk -F '\t' '
  { share = $2 > 0 ? $1 / $2 : ($1 > 0 ? 2 : 0); printf "%-60s %.2e (bound %.0e)\n", $3, $1, $2
    if (share >= worst) { worst = share; name = $3; figure = $1; bound = $2 } ; if ($1 > $2) over++ }
  END { printf "show-gradients: %s: %d figures, nearest to its bound: %s %.2e (bound %.0e)\n",
    (over || '"$status"' || !NR) ? "SHORT" : "ok", NR, name, figure, bound; exit over || '"$status"' || !NR }'
