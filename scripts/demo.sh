#!/usr/bin/env bash
# From a few lines of text to a trained network that names pictures: what `make demo` runs.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=${1:-.venv/bin}
net=examples/digits.net
out=runs/demo

bold='' plain=''
if [ -t 1 ]; then bold=$'\033[1m' plain=$'\033[0m'; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
show() { printf '%s$ %s%s\n' "$bold" "$*" "$plain"; "$bin/$@"; }

rm -rf "$out"
mkdir -p "$out"

say "A network is a few lines of text. This is $net:"
cat "$net"

say "Every number about it, before a second of compute:"
show striate size "$net"

say "The network as a picture:"
show striate draw "$net" -o "$out/digits.svg"

say "Trained on scikit-learn's handwritten digits:"
show striate train "$net" digits --epochs 40 -o "$out/run"

say "Tested on digits that it has not seen:"
show striate test "$out/run"

say "A few of them as PNG files, named by what they show:"
show python scripts/write_digits.py "$out/run" "$out/pictures"
show striate predict "$out/run" "$out/pictures" --top 3

say "Where to look"
cat <<END
  $out/digits.svg        the network drawn to scale
  $out/run/report.html   curves, confusion, first filters and the worst mistakes
  $out/run/              notation, settings, metrics and weights
END
say "What to try next"
cat <<END
  $bin/striate train quick FOLDER   your own pictures, one folder for each class
  $bin/striate size resnet50        any network's numbers
  $bin/striate zoo                  the networks that are built in
  change $net, and run make demo again
END
