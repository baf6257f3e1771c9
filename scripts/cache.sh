# shellcheck shell=bash
# What setup.sh and hadoop_jars.sh share: the cache of what is built or fetched once. They source it; it is no program.
#
# Wants ROOT, the project's folder, and say TEXT. ULM_CACHE: where the cache is (default: ulm_spark in the
# user's cache folder).
CACHE=${ULM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ulm_spark}
SELF=$(basename -- "$0" .sh)
WORK=''

# fail WHERE-AND-WHAT WHAT-TO-DO
fail() {
  printf '%s: %s\n       %s\n' "$SELF" "$1" "$2" >&2
  exit 2
}

on_exit() {
  local status=$?
  [[ -z $WORK ]] || rm -rf -- "$WORK"
  ((status == 0 || status == 2)) || printf '%s: stopped (exit %d); run it again to go on from here.\n' "$SELF" "$status" >&2
}
trap on_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# digest WORD... : a short name for exactly these words
digest() { printf '%s\n' "$@" | sha256sum | cut -c1-16; }

# quietly COMMAND... : show the output only of a command that fails
quietly() {
  local log status=0
  log=$(mktemp)
  "$@" >"$log" 2>&1 || status=$?
  ((status == 0)) || tail -n 40 -- "$log" >&2
  rm -f -- "$log"
  return "$status"
}

# take_lock DESCRIPTOR WHAT : one at a time; the kernel drops the lock with its holder
take_lock() {
  flock -n "$1" && return
  say "waiting for another set-up, which holds $2"
  flock "$1"
}

# A folder of the cache is made under a temporary name and moved into place whole.
open_work() {
  rm -rf -- "$CACHE"/work.* # left by a set-up that was killed; the lock says that none runs now
  WORK=$(mktemp -d "$CACHE/work.XXXXXX")
}

# close_work SUBFOLDER TARGET
close_work() {
  mkdir -p "${2%/*}"
  rm -rf -- "$2"
  mv -T -- "$WORK/$1" "$2"
  rm -rf -- "$WORK"
  WORK=''
}

need_command() { command -v "$1" >/dev/null || fail "$1: not found; $2." "Install it (Debian: apt-get install $3) and run $SELF again."; }

jars_folder() { echo "$CACHE/jars/$1-$(digest "$(<"$ROOT/scripts/jars/$1/pom.xml")")"; }

# fetch_jars NAME FOLDER : what scripts/jars/NAME/pom.xml lists, through Maven, into FOLDER
fetch_jars() {
  [[ ! -d $2 ]] || return 0
  take_lock 8 'the cache'
  if [[ ! -d $2 ]]; then
    say "fetching the jars of scripts/jars/$1/pom.xml"
    open_work
    # -U: Maven remembers a failed download for a day.
    quietly mvn -B -U -f "$ROOT/scripts/jars/$1/pom.xml" dependency:copy-dependencies \
      -DincludeScope=runtime -DoutputDirectory="$WORK/jars"
    close_work jars "$2"
  fi
  flock -u 8
}
