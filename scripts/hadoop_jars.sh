#!/usr/bin/env bash
# Fetches the daemons of HDFS and YARN for the slow flow tests, and prints the folder of their jars.
# Repeat it as often as you like: a folder that is there is only named. Spark never sees these jars.
#
#   ULM_CACHE   where the jars are kept, as in setup.sh
set -euo pipefail

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)

say() { printf 'hadoop_jars %4ds  %s\n' "$SECONDS" "$*" >&2; }
. "$ROOT/scripts/cache.sh"

HADOOP_JARS=$(jars_folder hadoop)
if [[ ! -d $HADOOP_JARS ]]; then
  need_command flock 'it keeps two set-ups apart' util-linux
  need_command mvn 'the jars are fetched with it' maven
  mkdir -p "$CACHE"
  exec 8>"$CACHE/.lock"
  fetch_jars hadoop "$HADOOP_JARS"
fi
echo "$HADOOP_JARS"
