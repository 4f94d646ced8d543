#!/bin/bash
# build.sh MODULE - compiles a module of this Maven project below $SUITES/java (default: a folder in the temporary
# directory) and prints its class path. Maven runs only if a source or a jar has changed or is missing, and first
# offline.
set -eu
here=$(dirname "$(readlink -f "$0")")
module=$1
out=${SUITES:-${TMPDIR:-/tmp}/ringkeeper-suites}/java/$module
mkdir -p "$out"
exec 9> "$out/lock"
flock 9
sources=$(cd "$here" && find pom.xml ./*/pom.xml running/src "$module/src" -type f | LC_ALL=C sort | xargs sha256sum | sha256sum)
path=$out/path
whole() {
  [ "$(cat "$out/sources" 2>/dev/null)" = "$sources" ] || return 1
  local jar
  while read -r -d : jar; do [ -e "$jar" ] || return 1; done < <(tr '\n' ':' < "$path")
}
if ! whole; then
  rm -rf "$out/project" "$out/sources"
  cp -r "$here" "$out/project"
  cd "$out/project"
  goals=(-q -B -ntp -pl "$module" -am compile dependency:build-classpath)
  mvn -o "${goals[@]}" > "$out/maven.log" 2>&1 || mvn "${goals[@]}" > "$out/maven.log" 2>&1 || {
    cat "$out/maven.log" >&2
    echo "build.sh: Maven could not build $module (see above)" >&2
    exit 1
  }
  echo "$PWD/$module/target/classes:$(cat "$module/target/class-path")" > "$path"
  echo "$sources" > "$out/sources"
fi
cat "$path"
