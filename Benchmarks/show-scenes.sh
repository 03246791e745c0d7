#!/bin/sh
# Scenes per second of one core at 64 and 512 pixels, and whether scenes recomposed pixel by pixel
# equal the rendered ones with all their masks. The last line has the figures and their bounds;
# exits with 1 below 500 scenes/s at 64 or with any inexact scene.
# Usage: Benchmarks/show-scenes.sh FOLDER-OF-THE-RELEASE-BUILD [MORE OPTIONS OF bench-scenes]
set -eu
folder=${1:?usage: show-scenes.sh FOLDER-OF-THE-RELEASE-BUILD}
shift
exec "$folder/groundwell-generator" bench-scenes --size 64 --size 512 --minimum 500 --check 256 "$@"
