#!/bin/sh
# Verifies recordings and their log with POSIX sh, awk, openssl and sha256sum or shasum: docs/evidence-format.md by hand.
#
# Usage: verify.sh PATH [CERT]
#   PATH  a file of a recording, a folder of the archive, or the archive's root
#   CERT  the certificate handed over on paper or by another safe way
# Exit: 0 intact, 1 altered or incomplete, 2 unreadable or wrongly called

set -u
LC_ALL=C
export LC_ALL
umask 077

die() {
  printf 'verify.sh: %s\n' "$1" >&2
  exit 2
}

if [ $# -lt 1 ] || [ $# -gt 2 ]; then die 'usage: verify.sh PATH [CERT]'; fi
case $1 in '' | -*) die 'usage: verify.sh PATH [CERT]' ;; esac
[ -r "$1" ] || die "$1: cannot be read"
for tool in awk openssl; do
  command -v "$tool" >/dev/null || die "$tool is needed"
done
if command -v sha256sum >/dev/null; then
  sum_command='sha256sum'
elif command -v shasum >/dev/null; then
  sum_command='shasum -a 256'
else
  die 'sha256sum or shasum is needed'
fi

tmp=$(mktemp -d) || die 'no temporary folder'
trap 'rm -rf "$tmp"' EXIT
trap 'exit 2' HUP INT TERM
: >"$tmp/faults"
: >"$tmp/unreadable"
: >"$tmp/sealed"
mkdir "$tmp/pub"

# Faults are named as `file: what is wrong`.
fault() {
  printf 'FAULT  %s\n' "$1" >>"$tmp/faults"
}

# Makes a list of paths safe for xargs.
quoted() {
  sed "s/'/'\\\\''/g; s/^/'/; s/\$/'/"
}

# The hash of standard input, hex.
hash_input() {
  $sum_command | cut -c 1-64
}

# Hashes the files listed on standard input, many at a time.
hash_list() {
  # The command is two words for shasum.
  # shellcheck disable=SC2086
  quoted | xargs $sum_command
}

# Hex on standard input becomes octets, without a process for each.
octets() {
  sh -c "$(awk '
    { out = ""
      for (i = 1; i < length($0); i += 2) {
        value = (index("0123456789abcdef", substr($0, i, 1)) - 1) * 16 + index("0123456789abcdef", substr($0, i + 1, 1)) - 1
        out = out (value == 37 ? "%%" : sprintf("\\%03o", value))
      }
      printf "printf '\''%s'\''\n", out }')"
}

# --- certificates -------------------------------------------------------------------------------------------------------

# Makes the key of certificate $1 known; $2 names it.
add_key() {
  openssl x509 -in "$1" -pubkey -noout >"$tmp/key" 2>/dev/null || return 1
  bits=$(openssl pkey -pubin -in "$tmp/key" -noout -text 2>/dev/null | sed -n 's/.*Public-Key: (\([0-9]*\) bit.*/\1/p')
  if ! openssl rsa -pubin -in "$tmp/key" -noout 2>/dev/null || [ "${bits:-0}" -lt 3072 ]; then
    fault "$2: is not an RSA key of at least 3072 bits"
    return 0
  fi
  spki=$(openssl pkey -pubin -in "$tmp/key" -outform DER | hash_input)
  mv "$tmp/key" "$tmp/pub/$spki"
  printf 'Certificate  %s\n             SHA-256 %s\n             %s\n' "$2" \
    "$(openssl x509 -in "$1" -noout -fingerprint -sha256 | sed 's/.*=//')" "$3"
}

fingerprint() {
  openssl x509 -in "$1" -noout -fingerprint -sha256 2>/dev/null | sed 's/.*=//' | tr -d ':' | tr 'A-F' 'a-f'
}

# The archive's certificates must be what their names and genesis say, octet for octet.
check_certificates() {
  wanted=$(sed -n 's/^cert sha256://p' "$tmp/e/00000000" 2>/dev/null)
  found=
  [ -z "${given:-}" ] || [ "$(fingerprint "$given")" != "$wanted" ] || found=given
  for cert in "evidence/$slug"/*.pem; do
    [ -f "$cert" ] || continue
    print=$(fingerprint "$cert")
    if [ -z "$print" ]; then
      fault "$cert: is not a readable certificate"
      continue
    fi
    openssl x509 -in "$cert" >"$tmp/canonical" 2>/dev/null
    tr -d '\r' <"$cert" | cmp -s - "$tmp/canonical" || fault "$cert: is not only a certificate"
    [ "${cert##*/}" = "cert-$(printf '%s' "$print" | cut -c 1-16).pem" ] ||
      fault "$cert: is not the certificate that its name says"
    [ "$print" != "$wanted" ] || found=archive
    [ -n "${given:-}" ] ||
      add_key "$cert" "$cert" 'TAKEN FROM THE ARCHIVE ITSELF: compare this fingerprint with the paper'
  done
  [ -n "$found" ] || fault "evidence/$slug: the certificate that genesis names, sha256:$wanted, is not here"
}

# --- entries ------------------------------------------------------------------------------------------------------------

# Splits the entry files of a log into $tmp/e (the entries) and $tmp/leaf (0x00 and the entry), and writes $tmp/table.
split_entries() {
  rm -rf "$tmp/e" "$tmp/leaf"
  mkdir "$tmp/e" "$tmp/leaf"
  find "evidence/$slug/entries" -type f -name '*.txt' 2>/dev/null | sort >"$tmp/files"
  while IFS= read -r file; do
    if [ "$(tr -d '\n -~' <"$file" | wc -c)" -ne 0 ] || [ "$(tail -c 1 "$file" | od -An -tx1 | tr -d ' ')" != 0a ]; then
      fault "$file: holds octets that no entry has, or does not end in a line feed"
    fi
  done <"$tmp/files"
  : >"$tmp/table"
  awk -v origin="$origin" -v folder="evidence/$slug" -v table="$tmp/table" -v list="$tmp/files" -v tmp="$tmp" '
    function fault(text) { printf "FAULT  %s: %s\n", file, text >>(tmp "/faults") }
    function shell(text) { gsub(/\047/, "\047\\\047\047", text); return "\047" text "\047" }
    function isHash(text) { return length(text) == 71 && text ~ /^sha256:[0-9a-f]+$/ }
    function isTime(text) { return text ~ /^[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]\.[0-9][0-9][0-9]Z$/ }
    function invalid(text) { fault("entry " expected ": " text) }
    function finish(  at, key, seen) {
      if (count == 0) return
      if (line[1] != "siprec-log-entry/v1") invalid("does not begin as an entry")
      for (at = 2; at <= 9; at++) if (name[at] != order[at]) invalid("line " at " should be " order[at])
      for (at = 2; at <= count; at++) {
        if (name[at] == "" || value[at] == "" || value[at] ~ /^ | $/) invalid("line " at " is not a key and a value")
        if (name[at] in seen) invalid("line " name[at] " twice")
        seen[name[at]] = value[at]
      }
      if (seen["origin"] != origin) invalid("is of another log")
      if (seen["index"] !~ /^(0|[1-9][0-9]*)$/) invalid("index is not a number")
      else if (seen["index"] + 0 != expected) {
        if (seen["index"] + 0 > expected) fault("entry " expected " is missing before entry " seen["index"])
        else fault("entry " seen["index"] " stands where entry " expected " should")
        expected = seen["index"] + 0
        holed = 1
      }
      if (!isHash(seen["prev"]) || !isHash(seen["key"]) || !isTime(seen["time"])) invalid("prev, time or key is malformed")
      if ((seen["type"] == "genesis") != (expected == 0)) invalid("genesis is the first entry and only that")
      if (closed && !(seen["type"] == "outage" && seen["clean"] == "yes")) invalid("cannot follow close")
      closed = seen["type"] == "close"
      if (!holed && file != folder sprintf("/entries/%03d/%06d.txt", int(expected / 256000), int(expected / 256)))
        invalid("stands in the wrong file")
      print expected, substr(seen["prev"], 8), substr(seen["key"], 8), seen["type"], seen["rec"] "", \
        substr(seen["hash"], 8) "", substr(seen["sig"], 8) "", file >table
      number = sprintf("%08d", entries++)
      printf "printf '\''%%s'\'' %s >e/%s\n", shell(text), number
      printf "printf '\''\\000%%s'\'' %s >leaf/%s\n", shell(text), number
      expected++
      count = 0
      text = ""
      for (key in seen) delete seen[key]
    }
    BEGIN {
      OFS = "\t"
      split("format origin index prev time mono clock key type", order, " ")
      while ((getline file < list) > 0) {
        blank = 1
        while ((getline read < file) > 0) {
          if (read == "") {
            if (blank) fault("a blank line too many")
            blank = 1
            finish()
            continue
          }
          blank = 0
          line[++count] = read
          text = text read "\n"
          space = index(read, " ")
          name[count] = space ? substr(read, 1, space - 1) : ""
          value[count] = space ? substr(read, space + 1) : ""
        }
        close(file)
        if (blank) fault("empty, or a blank line at its end")
        finish()
      }
    }' </dev/null >"$tmp/split"
  (cd "$tmp" && sh ./split)
}

check_chain() {
  count=$(wc -l <"$tmp/table" | tr -d ' ')
  if [ "$count" -eq 0 ]; then
    fault "evidence/$slug: the log has no readable entry"
    return
  fi
  (cd "$tmp/e" && find . -type f | sort | hash_list) >"$tmp/hashes"
  awk -F '\t' -v hashes="$tmp/hashes" '
    BEGIN { previous = sprintf("%064d", 0) }
    { if ($2 != previous && ($1 == last + 1 || NR == 1))
        printf "FAULT  %s: entry %d does not continue entry %d: one of them was altered\n", $8, $1, $1 - 1
      getline hash <hashes
      previous = substr(hash, 1, 64)
      last = $1 }' "$tmp/table" >>"$tmp/faults"
  cmp -s "$tmp/e/00000000" "evidence/$slug/genesis.txt" 2>/dev/null ||
    fault "evidence/$slug/genesis.txt: is missing or not the first entry of the log"
  cut -f 3 "$tmp/table" | sort -u >"$tmp/keys"
  while IFS= read -r key; do
    [ -f "$tmp/pub/$key" ] || fault "$(awk -F '\t' -v key="$key" '$3 == key { print $8 ": entry " $1; exit }' "$tmp/table"): no trusted certificate for key sha256:$key"
  done <"$tmp/keys"
  awk -F '\t' -v OFS='\t' -v origin="$origin" '$4 == "recording" { print origin, $1, $3, $5, $6, $7 }' "$tmp/table" >>"$tmp/sealed"
  printf 'Log          %s: %s entries\n' "$origin" "$count"
}

# --- checkpoints --------------------------------------------------------------------------------------------------------

# All full subtrees of the tree of RFC 6962 2.1, one file a level, one hash a line.
build_tree() {
  rm -f "$tmp"/tree.*
  (cd "$tmp/leaf" && find . -type f | sort | hash_list) | cut -c 1-64 >"$tmp/tree.0"
  level=0
  while [ "$(wc -l <"$tmp/tree.$level")" -gt 1 ]; do
    rm -rf "$tmp/node"
    mkdir "$tmp/node"
    awk '
      function octal(hex,  out, i, value) {
        out = ""
        for (i = 1; i < 64; i += 2) {
          value = (index("0123456789abcdef", substr(hex, i, 1)) - 1) * 16 + index("0123456789abcdef", substr(hex, i + 1, 1)) - 1
          out = out (value == 37 ? "%%" : sprintf("\\%03o", value))
        }
        return out
      }
      NR % 2 == 1 { left = octal($0); next }
      { printf "printf '\''\\001%s%s'\'' >%08d\n", left, octal($0), NR / 2 }' "$tmp/tree.$level" >"$tmp/nodes"
    (cd "$tmp/node" && sh ../nodes && find . -type f | sort | hash_list) | cut -c 1-64 >"$tmp/tree.$((level + 1))"
    level=$((level + 1))
  done
}

# The root over the first $1 entries, base64.
root_of() {
  rest=$1
  level=0
  root=
  # From the smallest full subtree to the largest: each is the left neighbour of what is already joined.
  while [ "$rest" -gt 0 ]; do
    if [ $((rest % 2)) -eq 1 ]; then
      left=$(sed -n "${rest}p" "$tmp/tree.$level")
      if [ -z "$root" ]; then root=$left; else root=$(printf '01%s%s\n' "$left" "$root" | octets | hash_input); fi
    fi
    rest=$((rest / 2))
    level=$((level + 1))
  done
  printf '%s\n' "$root" | octets | openssl base64 -A
}

check_checkpoints() {
  build_tree
  key=$(tail -n 1 "$tmp/table" | cut -f 3)
  covered=0
  for text in "evidence/$slug/checkpoint"/*.txt; do
    [ -f "$text" ] || continue
    size=${text##*/}
    size=${size%.txt}
    case $size in
      '' | 0* | *[!0-9]*) fault "$text: is not named by a size" && continue ;;
    esac
    if [ ! -f "${text%.txt}.sig" ]; then
      fault "${text%.txt}.sig: is missing"
    elif [ -f "$tmp/pub/$key" ] &&
      ! openssl dgst -sha256 -verify "$tmp/pub/$key" -signature "${text%.txt}.sig" "$text" >/dev/null 2>&1; then
      fault "${text%.txt}.sig: does not fit $text: one of the two was altered, or another key signed"
    elif [ "$size" -gt "$count" ]; then
      fault "$text: $size entries existed when this was signed, only $count are here: the end of the log is cut off"
    elif ! printf '%s\n%s\n%s\n' "$origin" "$size" "$(root_of "$size")" | cmp -s - "$text"; then
      fault "$text: the first $size entries are not those that were signed"
    elif [ "$size" -gt "$covered" ]; then
      covered=$size
    fi
  done
  for signature in "evidence/$slug/checkpoint"/*.sig; do
    [ ! -f "$signature" ] || [ -f "${signature%.sig}.txt" ] || fault "${signature%.sig}.txt: is missing"
  done
  printf '             complete up to entry %s of %s, by the newest valid checkpoint\n' "$((covered - 1))" "$((count - 1))"
}

check_log() {
  origin=$(printf '%s' "$slug" | tr '_' '/')
  split_entries
  check_certificates
  check_chain
  [ "$count" -eq 0 ] || check_checkpoints
}

# --- recordings ---------------------------------------------------------------------------------------------------------

# Compares files, lists, info files and entries; writes the signatures to be checked to $tmp/signed.
check_recordings() {
  hash_list <"$tmp/asked" >"$tmp/sums" 2>/dev/null
  awk -F '\t' -v sums="$tmp/sums" -v asked="$tmp/asked" -v signed="$tmp/signed" -v unreadable="$tmp/unreadable" \
    -v whole="$whole" '
    function fault(file, text) { printf "FAULT  %s: %s\n", file, text }
    function base(path) { sub(/.*\//, "", path); return path }
    function prefix(path,  name, part) {
      name = base(path)
      if (name !~ /^[0-9]+T[0-9]+\.[0-9]+(Z|[+-][0-9]+)_[A-Za-z0-9.+-]+_[A-Za-z0-9.+-]+_[A-Za-z0-9.+-]+_[0-9a-f]+[._]/) return ""
      split(name, part, "_")
      return substr(path, 1, length(path) - length(name)) part[1] "_" part[2] "_" part[3] "_" part[4] "_" substr(part[5], 1, 8)
    }
    function checkList(rec,  folder, text, hash, name, rest, infos, audio, listed, own, total, n) {
      folder = substr(rec, 1, length(rec) - length(base(rec)))
      while ((getline text < (rec "_hash.txt")) > 0) {
        hash = substr(text, 1, 64)
        name = substr(text, 67)
        rest = substr(name, length(base(rec)) + 1)
        if (length(hash) != 64 || hash ~ /[^0-9a-f]/ || substr(text, 65, 2) != "  " || name !~ /^[A-Za-z0-9_+][A-Za-z0-9._+-]*$/ || name in listed) {
          fault(rec "_hash.txt", "is not a list of hashes and names")
          continue
        }
        listed[name] = hash
        if (substr(name, 1, length(base(rec))) != base(rec)) fault(rec "_hash.txt", "names a file of another recording: " name)
        else if (rest == "_info.txt") infos++
        else if (rest ~ /^(_[A-Za-z0-9]+(-[A-Za-z0-9]+)*)?\.[a-z0-9]+$/ && rest !~ /\.txt$/) audio++
        else fault(rec "_hash.txt", "names a file that no recording has: " name)
        if (!((folder name) in sum)) fault(folder name, "is listed and missing")
        else if (sum[folder name] != hash) fault(folder name, "is not what was hashed and signed")
      }
      close(rec "_hash.txt")
      if (infos != 1 || audio < 1) fault(rec "_hash.txt", "does not list the info file and the audio")
      total = split(filesOf[rec], own, "\n")
      for (n = 1; n < total; n++)
        if (!(base(own[n]) in listed) && own[n] != rec "_hash.txt" && own[n] != rec "_hash.SHA256withRSA.sig" && own[n] != rec "_entry.txt" && own[n] != rec ".tlog-proof")
          fault(own[n], "is not in the list that was signed")
    }
    function checkEntry(rec,  text, info, at, id, part, key) {
      while ((getline text < (rec "_info.txt")) > 0) {
        at = index(text, ": ")
        if (at > 0) info[substr(text, 1, at - 1)] = substr(text, at + 2)
      }
      close(rec "_info.txt")
      id = byHash[sum[rec "_hash.txt"]]
      key = substr(info["Signing-Key"], 8)
      if (id == "") fault(rec "_hash.txt", "no entry of the log has its hash")
      else {
        split(id, part, " ")
        placed[id] = placed[id] == "" ? rec : placed[id]
        if (placed[id] != rec) fault(rec "_hash.txt", "is the recording of entry " part[2] ", as is " placed[id])
        if (info["Log-Origin"] != part[1] || info["Log-Index"] != part[2] || info["Recording-Id"] != uuid[id] || key != keyOf[id])
          fault(rec "_info.txt", "does not say what entry " part[2] " says")
        if ((rec "_hash.SHA256withRSA.sig") in sum && sum[rec "_hash.SHA256withRSA.sig"] != sig[id])
          fault(rec "_hash.SHA256withRSA.sig", "is not the signature that entry " part[2] " has the hash of")
        if (substr(uuid[id], 29) != substr(rec, length(rec) - 7)) fault(rec, "is not named by the recording of entry " part[2])
        key = keyOf[id]
      }
      if (key == "") key = "unknown"
      print key "\t" rec >signed
    }
    BEGIN {
      while ((getline text < sums) > 0) sum[substr(text, 67)] = substr(text, 1, 64)
      printf "" >signed
    }
    { id = $1 " " $2
      keyOf[id] = $3; uuid[id] = $4; sig[id] = $6
      byHash[$5] = id
      order[++sealed] = id }
    END {
      while ((getline path < asked) > 0) {
        if (!(path in sum)) print "UNREADABLE  " path >>unreadable
        rec = prefix(path)
        if (rec == "") continue
        filesOf[rec] = filesOf[rec] path "\n"
        if (!(rec in known)) { known[rec] = 1; recs[++count] = rec; suffix[substr(rec, length(rec) - 7)] = 1 }
      }
      for (at = 1; at <= count; at++) {
        rec = recs[at]
        split("_info.txt _hash.txt _hash.SHA256withRSA.sig", needed, " ")
        for (n = 1; n <= 3; n++) if (!((rec needed[n]) in sum)) fault(rec needed[n], "is missing")
        if ((rec "_hash.txt") in sum) { checkList(rec); checkEntry(rec) }
      }
      if (whole)
        for (at = 1; at <= sealed; at++)
          if (!(order[at] in placed) && !(substr(uuid[order[at]], 29) in suffix)) {
            split(order[at], part, " ")
            fault(part[1], "entry " part[2] ": recording " uuid[order[at]] " is not in the archive")
          }
      printf "Recordings   %d examined, %d in the log\n", count, sealed
    }' "$tmp/sealed" >"$tmp/compared"
  grep '^FAULT' "$tmp/compared" >>"$tmp/faults"
  grep -v '^FAULT' "$tmp/compared"
  while IFS='	' read -r key rec; do
    signature="${rec}_hash.SHA256withRSA.sig"
    [ -f "$signature" ] || continue
    if [ ! -f "$tmp/pub/$key" ]; then
      fault "$signature: no trusted certificate for key sha256:$key"
    elif ! openssl dgst -sha256 -verify "$tmp/pub/$key" -signature "$signature" "${rec}_hash.txt" >/dev/null 2>&1; then
      fault "$signature: does not fit ${rec}_hash.txt"
    fi
  done <"$tmp/signed"
}

# --- what was asked for -------------------------------------------------------------------------------------------------

given=
if [ $# -eq 2 ]; then
  given="$tmp/given.pem"
  openssl x509 -in "$2" >"$given" 2>/dev/null || die "$2: is not a readable certificate"
  add_key "$given" "$2" 'given on the command line' || die "$2: has no readable key"
fi

if [ -d "$1" ]; then start=$1 file=; else start=$(dirname "$1") file=${1##*/}; fi
start=$(cd "$start" && pwd -P) || die "$1: cannot be read"
root=$start
while [ ! -d "$root/evidence" ]; do
  [ "$root" != / ] || die "$1: neither here nor above is a folder \"evidence\""
  root=$(dirname "$root")
done
cd "$root" || die "$root: cannot be read"
below=${start#"$root"}
below=${below#/}
printf 'Archive      %s\n' "$root"

whole=0
if [ -n "$file" ]; then
  stem=$(printf '%s\n' "$file" | sed -n 's/^\([0-9]*T[0-9.]*[Z+-][0-9]*\(_[A-Za-z0-9.+-]*\)\{3\}_[0-9a-f]\{8\}\)[._].*/\1/p')
  [ -n "$stem" ] || die "$1: not a file of a recording"
  find "${below:-.}" -type f -name "${stem}[._]*" >"$tmp/found" || die "$1: cannot be read"
elif [ -z "$below" ]; then
  whole=1
  find . -type f ! -path './evidence/*' >"$tmp/found" || printf 'UNREADABLE  %s\n' "$root" >>"$tmp/unreadable"
else
  case $below/ in
    evidence/*) : >"$tmp/found" ;;
    *) find "$below" -type f >"$tmp/found" || printf 'UNREADABLE  %s\n' "$below" >>"$tmp/unreadable" ;;
  esac
  case $below/ in
    evidence/*) ;;
    *) grep -q '_[0-9a-f]\{8\}[._][^/]*$' "$tmp/found" || die "$1: no recording here" ;;
  esac
fi
sed 's|^\./||' "$tmp/found" | sort >"$tmp/asked"

logs=0
for folder in evidence/*/; do
  [ -d "$folder" ] || continue
  slug=${folder#evidence/}
  slug=${slug%/}
  logs=$((logs + 1))
  check_log
done
[ "$logs" -gt 0 ] || die "$root/evidence: no log here"
check_recordings

# Names come from the archive; they must not steer the terminal.
cat "$tmp/faults" "$tmp/unreadable" | tr '\001-\011\013-\037\177' '?'
cat <<'NOT_SHOWN'
Not shown: that the telephone system sent the true audio and names; when anything happened, for all times are statements of the
recorder; that the holder of the key has not written everything anew; that nothing was cut off behind the newest checkpoint here;
that every call reached the recorder; that every opened call was ended (sealtape-verify follows those).
NOT_SHOWN
[ "$whole" -eq 1 ] || printf 'Only what was asked for was examined: missing recordings are searched from the root of the archive.\n'
[ -n "$given" ] || printf 'The certificate came from the archive itself: compare its fingerprint with the paper.\n'
if [ -s "$tmp/faults" ]; then
  printf 'Result: ALTERED OR INCOMPLETE\n'
  exit 1
fi
if [ -s "$tmp/unreadable" ]; then
  printf 'Result: UNREADABLE\n'
  exit 2
fi
printf 'Result: INTACT\n'
