#!/usr/bin/env bash
# Makes everything the project needs: system packages, .venv, Horovod, the jars of Delta and Kafka.
# Repeat it as often as you like: each step is skipped when its inputs are unchanged, and an interrupted
# run is taken up where it stopped.
#
#   ULM_CACHE      where the Horovod wheel and the jars are kept (default: ulm_spark in the user's cache folder)
#   ULM_SKIP_APT   set to 1 to leave the system packages alone
set -euo pipefail

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
VENV=$ROOT/.venv
PY=$VENV/bin/python
STAMPS=$VENV/.ulm
SITE=$VENV/lib/python3.11/site-packages
LOCK=$ROOT/requirements/lock.txt

say() { printf 'setup %4ds  %s\n' "$SECONDS" "$*"; }
. "$ROOT/scripts/cache.sh"

# stamped NAME KEY : did step NAME finish with these inputs?
stamped() { [[ -f $STAMPS/$1 && $(<"$STAMPS/$1") == "$2" ]]; }

stamp() {
  mkdir -p "$STAMPS"
  printf '%s\n' "$2" >"$STAMPS/$1.new"
  mv -f "$STAMPS/$1.new" "$STAMPS/$1"
}

pinned() { sed -nE "s/^$1==([^ ]+).*/\1/p" "$2"; }

# ---------------------------------------------------------------------------------------------------- checks

check_tools() {
  need_command flock 'it keeps two set-ups apart' util-linux
  PYTHON=$(command -v python3.11 || true)
  [[ -z $PYTHON ]] || PYTHON=$("$PYTHON" -c 'import sys; print(sys._base_executable)') # not .venv's own
  [[ -n $PYTHON ]] || fail 'python3.11: not found; the pins hold for Python 3.11 only.' \
    'Install it (Debian 12: apt-get install python3.11 python3.11-venv python3.11-dev) and run setup again.'
  "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || fail 'python3.11: has no venv or ensurepip.' \
    'Install them (Debian: apt-get install python3.11-venv) and run setup again.'

  local java=${JAVA_HOME:+$JAVA_HOME/bin/}java found
  found=$("$java" -version 2>&1 | sed -nE '1s/.*version "([0-9]+).*/\1/p') || true
  [[ $found == 17 ]] || fail "$java: found version '${found:-none}'; Spark runs on JDK 17 here." \
    'Install it (Debian: apt-get install openjdk-17-jdk-headless), or let JAVA_HOME name it, and run setup again.'

  if ! stamped horovod "$HOROVOD_KEY" && [[ -z $(cached_wheel) ]]; then
    need_command g++ "Horovod's build needs a C++ compiler" g++
    need_command cmake "Horovod's build needs it" cmake
    [[ -f $("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h ]] ||
      fail "python3.11: its C headers are missing; Horovod's build needs them." \
        'Install them (Debian: apt-get install python3.11-dev) and run setup again.'
  fi
  if [[ ! -d $KAFKA_JARS ]] || ! { [[ -d $SPARK_JARS ]] || stamped spark-jars "$SPARK_JARS_KEY"; }; then
    need_command mvn 'the jars are fetched with it' maven
  fi
}

# ------------------------------------------------------------------------------------------- system packages

missing_packages() {
  command -v chromium >/dev/null || echo chromium
  # The captured text, not a pipe: grep -q would end ldconfig early, which pipefail reports as a failure.
  [[ $(PATH=$PATH:/sbin:/usr/sbin ldconfig -p) == *libopenblas.so.0* ]] || echo libopenblas0-pthread
}

apt_install() {
  local -a as_root=()
  command -v apt-get >/dev/null || return
  if ((EUID != 0)); then
    command -v sudo >/dev/null || return
    as_root=(sudo)
    [[ -t 0 ]] || as_root+=(-n)
  fi
  quietly "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update || true
  quietly "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

install_packages() {
  local -a missing
  local tried=$CACHE/packages-not-had name
  mapfile -t missing < <(missing_packages)
  ((${#missing[@]})) || return 0
  if [[ ${ULM_SKIP_APT:-0} != 1 && -z $(find "$tried" -mmin -720 2>/dev/null) ]]; then
    say "installing Debian packages: ${missing[*]}"
    apt_install "${missing[@]}" || touch "$tried"
    mapfile -t missing < <(missing_packages)
  fi
  for name in "${missing[@]}"; do
    case $name in
      chromium) say 'without chromium: the browser tests of the report cannot run; all else works' ;;
      *) say 'without libopenblas0-pthread: Spark ML computes in Java, so ALS is slower; all else works' ;;
    esac
  done
}

# ------------------------------------------------------------------------------------------------ environment

make_venv() {
  local key
  key=$(digest "$ROOT" "$("$PYTHON" -c 'import sys; print(sys.version, sys.base_prefix)')")
  stamped venv "$key" && [[ -x $PY ]] && return
  say "making the environment .venv"
  # A virtual environment holds absolute paths: one that was moved, or half made, is made again.
  "$PYTHON" -m venv --clear "$VENV"
  stamp venv "$key"
}

# A pip that was killed leaves packages without their RECORD, and renamed folders: pip cannot mend those.
heal_site_packages() {
  local info
  [[ -d $SITE ]] || return 0
  rm -rf -- "$SITE"/~*
  for info in "$SITE"/*.dist-info; do
    [[ ! -d $info || -f $info/RECORD ]] || rm -rf -- "$info"
  done
}

install_python_packages() {
  local key
  key=$(digest "$(<"$LOCK")")
  stamped packages "$key" && return
  say "installing $(grep -c '==' "$LOCK") Python packages (a few minutes the first time)"
  heal_site_packages
  quietly "$PY" -m pip install --disable-pip-version-check --no-deps -r "$LOCK"
  quietly "$PY" -m pip check
  stamp packages "$key"
}

# --------------------------------------------------------------------------------------------------- Horovod

wheel_folder() {
  local version tensorflow
  version=$(pinned horovod "$ROOT/requirements/horovod.txt")
  tensorflow=$(pinned 'tensorflow[-_]cpu' "$LOCK")
  echo "$CACHE/wheels/horovod-$version-cp311-tensorflow-$tensorflow-$(uname -m)-$(digest "$(declare -f build_horovod)")"
}

cached_wheel() { find "$WHEELS" -name 'horovod-*.whl' 2>/dev/null | head -n 1; }

# TensorFlow 2.21's wheel lacks headers that Horovod's XLA operations include, so they are left out.
# One chain of &&: errexit does not reach into a function whose status is looked at.
build_horovod() (
  "$PY" -m pip download --no-deps --no-build-isolation --no-binary :all: --require-hashes \
    -r "$ROOT/requirements/horovod.txt" -d "$WORK" &&
    mkdir "$WORK/source" && tar -xzf "$WORK"/horovod-*.tar.gz -C "$WORK/source" --strip-components=1 &&
    cd "$WORK/source" && grep -q 'xla_mpi_ops\.cc' horovod/tensorflow/CMakeLists.txt &&
    sed -i '/xla_mpi_ops\.cc/d' horovod/tensorflow/CMakeLists.txt &&
    env PATH="$VENV/bin:$PATH" HOROVOD_WITH_TENSORFLOW=1 HOROVOD_WITHOUT_PYTORCH=1 HOROVOD_WITHOUT_MXNET=1 \
      HOROVOD_WITH_GLOO=1 HOROVOD_WITHOUT_MPI=1 CMAKE_POLICY_VERSION_MINIMUM=3.5 MAKEFLAGS="-j$(nproc)" \
      "$PY" -m pip wheel . --no-cache-dir --no-build-isolation --no-deps -w "$WORK/wheel"
)

make_wheel() {
  [[ -z $(cached_wheel) ]] || return 0
  take_lock 8 'the cache'
  if [[ -z $(cached_wheel) ]]; then
    say 'building Horovod from source (3 to 12 minutes, once)'
    open_work
    quietly build_horovod
    close_work wheel "$WHEELS"
  fi
  flock -u 8
}

install_horovod() {
  stamped horovod "$HOROVOD_KEY" && return
  make_wheel
  say 'installing Horovod and loading it once'
  quietly "$PY" -m pip install --disable-pip-version-check --no-deps --force-reinstall "$(cached_wheel)"
  quietly env TF_CPP_MIN_LOG_LEVEL=2 "$PY" -c 'import horovod.tensorflow as hvd; hvd.init(); assert hvd.size() == 1'
  stamp horovod "$HOROVOD_KEY"
}

# ------------------------------------------------------------------------------------------------------ jars

# shipped_jar FILE : the jar of that artifact which pyspark itself installed, if any
shipped_jar() {
  local artifact
  artifact=$(sed -E 's/-[0-9][^-]*\.jar$//' <<<"$1")
  grep -oE "pyspark/jars/$artifact-[0-9][^-/]*\.jar" "$SITE"/pyspark-*.dist-info/RECORD | head -n 1 || true
}

install_spark_jars() {
  local jar name target=$SITE/pyspark/jars placed=$STAMPS/spark-jars.placed
  stamped spark-jars "$SPARK_JARS_KEY" && return
  fetch_jars spark "$SPARK_JARS"
  say 'placing the Delta and Kafka jars in pyspark/jars'
  touch "$placed"
  while read -r name; do # what an earlier set-up placed and this one does not
    [[ -z $name || -f $SPARK_JARS/$name ]] || rm -f -- "$target/$name"
  done <"$placed"
  for jar in "$SPARK_JARS"/*.jar; do
    name=${jar##*/}
    if [[ -n $(shipped_jar "$name") ]]; then
      say "leaving out $name: pyspark ships $(shipped_jar "$name")"
      continue
    fi
    grep -qxF "$name" "$placed" || printf '%s\n' "$name" >>"$placed"
    cp -- "$jar" "$target/.$name.new"
    mv -f -- "$target/.$name.new" "$target/$name"
  done
  stamp spark-jars "$SPARK_JARS_KEY"
}

link_kafka() {
  fetch_jars kafka "$KAFKA_JARS"
  [[ $(readlink "$VENV/kafka" || true) != "$KAFKA_JARS" ]] || return 0
  ln -sfn -- "$KAFKA_JARS" "$VENV/kafka.new"
  mv -fT -- "$VENV/kafka.new" "$VENV/kafka"
}

# --------------------------------------------------------------------------------------------------- project

install_project() {
  local key
  key=$(digest "$(cat "$ROOT/setup.py" "$ROOT/pyproject.toml" "$ROOT/ulm_spark/__init__.py" "$ROOT"/requirements/*.in)")
  stamped project "$key" && [[ -x $VENV/bin/ulm ]] && return
  say 'installing the project itself, editable'
  quietly "$PY" -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e "$ROOT"
  stamp project "$key"
}

# ------------------------------------------------------------------------------------------------------- all

mkdir -p "$CACHE"
WHEELS=$(wheel_folder)
SPARK_JARS=$(jars_folder spark)
KAFKA_JARS=$(jars_folder kafka)
HOROVOD_KEY=$(digest "${WHEELS##*/}" "$(<"$LOCK")")
SPARK_JARS_KEY=$(digest "${SPARK_JARS##*/}" "$(<"$LOCK")")
check_tools
exec 9<"$ROOT" 8>"$CACHE/.lock"
take_lock 9 'this folder'
install_packages
make_venv
install_python_packages
install_spark_jars
link_kafka
install_horovod
install_project
say "ready: $("$PY" --version) in .venv"
