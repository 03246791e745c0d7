#!/usr/bin/env bash
# Environments for the peers of show-serve: .venv-serve, and .venv-serve-reverb for the one that needs an old
# NumPy. A peer that does not install is named, with the last line of what pip said, and left out.
# Usage: Benchmarks/serve/setup.sh [FOLDER], the folder the environments go to (the checkout)
set -uo pipefail
cd "$(dirname "$0")/../.."
folder=${1:-$PWD}
main=$folder/.venv-serve
reverb=$folder/.venv-serve-reverb
report=$main/peers.txt
constraint=$main/constraint.txt

environment() {
  [[ -x $1/bin/python ]] || python3 -m venv "$1"
}

# try NAME ENVIRONMENT PIP-ARGUMENTS...
try() {
  local name=$1 environment=$2
  shift 2
  # The constraint keeps a peer's requirements from replacing PyTorch by another build.
  if "$environment/bin/pip" install -q --disable-pip-version-check -c "$constraint" "$@" >"$environment/pip.log" 2>&1; then
    echo "$name installed" | tee -a "$report"
  else
    echo "$name not installed: $(grep -iE 'error' "$environment/pip.log" | tail -1)" | tee -a "$report"
  fi
}

environment "$main"
: >"$report"
echo "torch==2.13.0+cpu" >"$constraint"
try torch "$main" torch==2.13.0+cpu numpy pillow || exit 1
"$main/bin/pip" install -q --disable-pip-version-check --no-deps scikit-image scikit-learn
"$main/bin/pip" install -q --disable-pip-version-check --no-deps -e python
try lmdb "$main" lmdb lz4
try webdataset "$main" webdataset
# LitData and MosaicML Streaming ask for torchvision, which would bring another PyTorch and which their readers do
# not use: their other needs one by one.
try litdata "$main" --no-deps litdata
try litdata-needs "$main" lightning-utilities boto3 requests filelock tifffile obstore
try grain "$main" grain array-record
try lance "$main" pylance pyarrow
try streaming "$main" --no-deps mosaicml-streaming
try streaming-needs "$main" Brotli python-snappy "xxhash<4" zstd tqdm requests catalogue filelock "transformers<5"
# FFCV is built from source against Debian's OpenCV and libjpeg-turbo.
if [[ $(id -u) == 0 ]]; then sudo=(); else sudo=(sudo); fi
if "${sudo[@]}" apt-get install -y -qq libopencv-dev libturbojpeg0-dev pkg-config g++ \
  >"$main/apt.log" 2>&1; then
  try ffcv-needs "$main" numba opencv-python-headless psutil tqdm terminaltables pandas assertpy fastargs setuptools
  try ffcv "$main" --no-deps --no-build-isolation ffcv
else
  echo "ffcv not installed: apt-get could not install OpenCV's headers" | tee -a "$report"
fi
environment "$reverb"
try reverb "$reverb" torch==2.13.0+cpu "numpy<2" dm-reverb[tensorflow] pillow
