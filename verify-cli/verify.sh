#!/bin/sh
# Verifies recordings and their log with POSIX sh, awk, openssl and sha256sum or shasum: docs/evidence-format.md by hand.
#
# Usage: verify.sh PATH [CERT [TSA-CA]]
#   PATH    a file of a recording, a folder of the archive, or the archive's root
#   CERT    the certificate handed over on paper or by another safe way, or that of the authority which issued it; - for none
#   TSA-CA  certificates (PEM) of the time-stamp authorities that you trust
# Exit: 0 intact, 1 altered or incomplete, 2 unreadable or wrongly called

set -u
LC_ALL=C
export LC_ALL
umask 077

die() {
  printf 'verify.sh: %s\n' "$1" >&2
  exit 2
}

if [ $# -lt 1 ] || [ $# -gt 3 ]; then die 'usage: verify.sh PATH [CERT [TSA-CA]]'; fi
case $1 in '' | -*) die 'usage: verify.sh PATH [CERT [TSA-CA]]' ;; esac
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
: >"$tmp/deleted"
: >"$tmp/segments"
: >"$tmp/states"
: >"$tmp/notes"
# Keys by the hash of their SubjectPublicKeyInfo: all of them, and those that are accepted.
mkdir "$tmp/all" "$tmp/pub"
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null) || jobs=2

# Faults are named as `file: what is wrong`.
fault() {
  printf 'FAULT  %s\n' "$1" >>"$tmp/faults"
}

# What is worth stating and no fault.
note() {
  printf 'note   %s\n' "$1" >>"$tmp/notes"
}

# For awk: the seconds since 1970 of a moment in UTC, or of one as entries have it.
seconds_of='
  function seconds(year, month, day, time,  part, days, before, leap) {
    split(time, part, /[:.Z]/)
    days = (year - 1970) * 365 + int((year - 1969) / 4) - int((year - 1901) / 100) + int((year - 1601) / 400)
    split("0 31 59 90 120 151 181 212 243 273 304 334", before, " ")
    leap = (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) && month > 2
    return (days + before[month + 0] + leap + day - 1) * 86400 + part[1] * 3600 + part[2] * 60 + part[3]
  }
  function moment(time) { return seconds(substr(time, 1, 4), substr(time, 6, 2), substr(time, 9, 2), substr(time, 12)) }
  function monthOf(name) { return (index("JanFebMarAprMayJunJulAugSepOctNovDec", name) + 2) / 3 }'

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

# The hashes of the files in folder $1, one a line in the order of their names: hash, space, name.
hash_folder() {
  (cd "$1" && find . -type f | sort | hash_list) | sed 's|^\([0-9a-f]*\) [ *]\./|\1 |'
}

# --- certificates -------------------------------------------------------------------------------------------------------

# Reads certificate $1 at one go: $print its fingerprint, $tmp/canonical the certificate, $tmp/key its key, $spki the hash of that, $bits how
# long it is if it is an RSA key, $begun since when it is valid (seconds since 1970), $ca whether it is one of an authority. A start of openssl
# costs more than all else here.
read_certificate() {
  print=
  openssl x509 -in "$1" -pubkey -text -fingerprint -sha256 >"$tmp/certificate" 2>/dev/null || return 1
  awk -v key="$tmp/key" -v canonical="$tmp/canonical" "$seconds_of"'
    /^-----BEGIN / { file = /CERTIFICATE/ ? canonical : key; printf "" >file }
    file != "" { print >file }
    /^-----END / { file = "" }
    /Public Key Algorithm:/ { rsa = /rsaEncryption/ }
    /Not Before *:/ { sub(/.*Before *: */, ""); begun = seconds($4, monthOf($1), $2, $3) }
    /CA:TRUE/ { ca = 1 }
    /Public-Key: \([0-9]+ bit/ && bits == "" { bits = $0; gsub(/.*\(| bit.*/, "", bits) }
    /^[A-Za-z0-9]+ Fingerprint=/ { print_ = tolower($0); sub(/.*=/, "", print_); gsub(/:/, "", print_) }
    END { printf "%s %d %.0f %d\n", print_, rsa ? bits : 0, begun, ca }' "$tmp/certificate" >"$tmp/summary"
  IFS=' ' read -r print bits begun ca <"$tmp/summary"
  spki=$(sed '/^-----/d' "$tmp/key" | openssl base64 -d | hash_input)
}

# Makes the key of the certificate that was read known; $1 names it, $2 says where it is from. An accepted one with $3, otherwise only known.
add_key() {
  if [ "$bits" -lt 3072 ]; then
    fault "$1: is not an RSA key of at least 3072 bits"
    return 0
  fi
  printf '%s\n' "$print" >"$tmp/all/$spki.cert"
  mv "$tmp/key" "$tmp/all/$spki"
  [ "${3:-}" = accepted ] || return 0
  cp "$tmp/all/$spki" "$tmp/pub/$spki"
  printf 'Certificate  %s\n             SHA-256 %s\n             %s\n' "$1" \
    "$(printf '%s\n' "$print" | tr 'a-f' 'A-F' | sed 's/../&:/g; s/:$//')" "$2"
}

# What certificates were given: keys that are accepted, and in $anchors those of authorities.
read_given() {
  awk -v folder="$tmp/given" '
    /^-----BEGIN CERTIFICATE-----/ { file = folder "/" ++count ".pem" }
    file != "" { print >file }
    /^-----END / { file = "" }' "$1"
  for given in "$tmp/given"/*.pem; do
    read_certificate "$given" || die "$1: is not a readable certificate"
    given_prints="$given_prints $print"
    if [ "$ca" -eq 1 ]; then
      anchors="$tmp/anchors.pem"
      cat "$tmp/canonical" >>"$anchors"
    fi
    # An authority may have any key: none of its own counts here but one that could have signed.
    if [ "$ca" -eq 0 ] || [ "$bits" -ge 3072 ]; then add_key "$1" 'given on the command line' accepted; fi
  done
}

# Whether certificate $1 leads to a given authority, all of the chain being valid at moment $2.
leads() {
  openssl verify -attime "$2" -CAfile "$anchors" -untrusted "$tmp/issuers.pem" "$1" >/dev/null 2>&1 ||
    openssl verify -partial_chain -attime "$2" -CAfile "$anchors" -untrusted "$tmp/issuers.pem" "$1" >/dev/null 2>&1
}

# Whether a given authority had certified the key of certificate $1 when that signed its last entry: $accepted and $source. One that had not,
# but before or later, goes to $tmp/late.
certify() {
  IFS='	' read -r last index file first <<USE
$(awk -F '\t' -v OFS='\t' -v key="$spki" '$1 == key { print $2, $3, $4, $5 }' "$tmp/uses")
USE
  if leads "$1" "${last:-$begun}"; then
    accepted=accepted
    source='issued under the given authority: is it the name of the recorder?'
    if [ -n "$first" ] && [ "$first" -lt "$begun" ]; then note "$1: was issued when its key had already signed entries"; fi
  elif leads "$1" "$begun"; then
    printf '%s\t%s: entry %s is signed with key sha256:%s, whose certificate %s was not valid at that time\n' \
      "$spki" "$file" "$index" "$spki" "$1" >>"$tmp/late"
  fi
}

# Certificates of authorities, which lie between those of the recorder and a given one.
read_issuers() {
  : >"$tmp/late"
  : >"$tmp/issuers.pem"
  [ -z "$anchors" ] || cat "$anchors" >"$tmp/issuers.pem"
  for cert in "$logs_folder/$slug"/ca/*.pem; do
    [ -f "$cert" ] || continue
    if read_certificate "$cert" && [ "${cert##*/}" = "$(printf '%s' "$print" | cut -c 1-16).pem" ]; then
      cat "$tmp/canonical" >>"$tmp/issuers.pem"
    else
      fault "$cert: is not the one certificate that its name says"
    fi
  done
}

# The archive's certificates must be what their names and genesis say, octet for octet.
check_certificates() {
  wanted=$(sed -n 's/^cert sha256://p' "$tmp/e/00000000" 2>/dev/null)
  found=
  case "$given_prints " in *" $wanted "*) found=given ;; esac
  read_issuers
  for cert in "$logs_folder/$slug"/*.pem; do
    [ -f "$cert" ] || continue
    if ! read_certificate "$cert"; then
      fault "$cert: is not a readable certificate"
      continue
    fi
    tr -d '\r' <"$cert" | cmp -s - "$tmp/canonical" || fault "$cert: is not only a certificate"
    [ "${cert##*/}" = "cert-$(printf '%s' "$print" | cut -c 1-16).pem" ] ||
      fault "$cert: is not the certificate that its name says"
    [ "$print" != "$wanted" ] || found=archive
    accepted=accepted
    source='TAKEN FROM THE ARCHIVE ITSELF: compare this fingerprint with the paper'
    if [ -n "$given" ]; then
      accepted=
      if [ -n "$anchors" ] && [ "$ca" -eq 0 ] && [ ! -f "$tmp/pub/$spki" ]; then certify "$cert"; fi
    fi
    add_key "$cert" "$source" "$accepted"
  done
  while IFS='	' read -r spki late; do
    [ -f "$tmp/pub/$spki" ] || fault "$late"
    cp "$tmp/all/$spki" "$tmp/pub/$spki"
  done <"$tmp/late"
  [ -n "$found" ] || fault "$logs_folder/$slug: the certificate that genesis names, sha256:$wanted, is not here"
}

# --- entries ------------------------------------------------------------------------------------------------------------

# Splits the entry files of a log into $tmp/e (the entries) and $tmp/leaf (0x00 and the entry), and writes $tmp/table.
split_entries() {
  rm -rf "$tmp/e" "$tmp/leaf"
  mkdir "$tmp/e" "$tmp/leaf"
  find "$logs_folder/$slug/entries" -type f -name '*.txt' 2>/dev/null | sort >"$tmp/files"
  while IFS= read -r file; do
    if [ "$(tr -d '\n -~' <"$file" | wc -c)" -ne 0 ] || [ "$(tail -c 1 "$file" | od -An -tx1 | tr -d ' ')" != 0a ]; then
      fault "$file: holds octets that no entry has, or does not end in a line feed"
    fi
  done <"$tmp/files"
  : >"$tmp/table"
  : >"$tmp/uses"
  : >"$tmp/rolls"
  : >"$tmp/anchors"
  awk -v origin="$origin" -v folder="$logs_folder/$slug" -v table="$tmp/table" -v list="$tmp/files" -v tmp="$tmp" "$seconds_of"'
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
      ownKey = substr(seen["key"], 8)
      if (current != "" && ownKey != current)
        invalid(ownKey in replaced ? "names a key which had been replaced before" : "names another key than those before it, without a key roll")
      current = ownKey
      if (!(ownKey in firstTime)) firstTime[ownKey] = seen["time"]
      lastTime[ownKey] = seen["time"]
      lastUse[ownKey] = expected OFS file
      if (seen["type"] == "keyroll") {
        replaced[ownKey] = 1
        current = substr(seen["new"], 8)
        print expected, seen["n"], substr(seen["old"], 8), current, substr(seen["cert-new"], 8), substr(seen["proof-old"], 8), \
          substr(seen["proof-new"], 8), file >(tmp "/rolls")
      }
      if (seen["type"] ~ /^tombstone(-pending)?$/) print seen["rec"] >>(tmp "/deleted")
      if (seen["type"] == "segment") print seen["rec"], seen["file"], seen["bytes"], substr(seen["hash"], 8), expected >>(tmp "/segments")
      if (seen["type"] == "anchor" && seen["kind"] == "tsa") print expected, seen["name"], seen["of-size"], substr(seen["hash"], 8), file >(tmp "/anchors")
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
      for (key in lastTime)
        printf "%s\t%.0f\t%s\t%.0f\n", key, moment(lastTime[key]), lastUse[key], moment(firstTime[key]) >(tmp "/uses")
    }' </dev/null >"$tmp/split"
  (cd "$tmp" && sh ./split)
}

check_chain() {
  count=$(wc -l <"$tmp/table" | tr -d ' ')
  if [ "$count" -eq 0 ]; then
    fault "$logs_folder/$slug: the log has no readable entry"
    return
  fi
  hash_folder "$tmp/e" >"$tmp/hashes"
  awk -F '\t' -v hashes="$tmp/hashes" '
    BEGIN { previous = sprintf("%064d", 0) }
    { if ($2 != previous && ($1 == last + 1 || NR == 1))
        printf "FAULT  %s: entry %d does not continue entry %d: one of them was altered\n", $8, $1, $1 - 1
      getline hash <hashes
      previous = substr(hash, 1, 64)
      last = $1 }' "$tmp/table" >>"$tmp/faults"
  cmp -s "$tmp/e/00000000" "$logs_folder/$slug/genesis.txt" 2>/dev/null ||
    fault "$logs_folder/$slug/genesis.txt: is missing or not the first entry of the log"
  awk -F '\t' -v OFS='\t' -v origin="$origin" '$4 == "recording" { print origin, $1, $3, $5, $6, $7 }' "$tmp/table" >>"$tmp/sealed"
  printf 'Log          %s: %s entries\n' "$origin" "$count"
}

# Every key must be accepted: by its certificate, or by a key roll that an accepted key signed.
check_keys() {
  while IFS='	' read -r index n old new cert proof_old proof_new file; do
    statement="$logs_folder/$slug/keyroll-$n.txt"
    before=$(wc -l <"$tmp/faults")
    if ! printf 'siprec-log-keyroll/v1\norigin %s\nn %s\nsize %s\nroot %s\nold sha256:%s\nnew sha256:%s\ncert-new sha256:%s\n' \
      "$origin" "$n" "$index" "$(awk -v size="$index" '$1 == size { print $2 }' "$tmp/roots")" "$old" "$new" "$cert" >"$tmp/statement" ||
      ! sed '$d' "$statement" 2>/dev/null | cmp -s - "$tmp/statement" || ! sed -n '$p' "$statement" | grep -q '^time [0-9TZ:.-]*$'; then
      fault "$statement: is missing, or is not what entry $index of $file says"
    fi
    check_roll_signature old "$old" "$proof_old"
    check_roll_signature new "$new" "$proof_new"
    [ "$(cat "$tmp/all/$new.cert" 2>/dev/null)" = "$cert" ] || fault "$statement: the new certificate is not here, or is of another key"
    if [ "$(wc -l <"$tmp/faults")" -eq "$before" ] && [ -f "$tmp/pub/$old" ]; then cp "$tmp/all/$new" "$tmp/pub/$new"; fi
  done <"$tmp/rolls"
  cut -f 3 "$tmp/table" | sort -u >"$tmp/keys"
  while IFS= read -r key; do
    [ -f "$tmp/pub/$key" ] || fault "$(awk -F '\t' -v key="$key" '$3 == key { print $8 ": entry " $1; exit }' "$tmp/table"): no trusted certificate for key sha256:$key"
  done <"$tmp/keys"
}

# The signature of one side of key roll $n: $1 old or new, $2 the key, $3 the hash that the entry has.
check_roll_signature() {
  signature="$logs_folder/$slug/keyroll-$n.$1.sig"
  if [ ! -f "$signature" ] || [ "$(hash_input <"$signature")" != "$3" ]; then
    fault "$signature: is missing, or is not the signature that entry $index has the hash of"
  elif ! fits "$tmp/all/$2" "$signature" "$statement"; then
    fault "$signature: does not fit $statement"
  fi
}

# Whether signature $2 over file $3 is that of key file $1.
fits() {
  openssl dgst -sha256 -verify "$1" -signature "$2" "$3" >/dev/null 2>&1
}

# --- checkpoints --------------------------------------------------------------------------------------------------------

# All full subtrees of the tree of RFC 6962 2.1, one file a level, one hash a line.
build_tree() {
  rm -f "$tmp"/tree.*
  hash_folder "$tmp/leaf" | cut -c 1-64 >"$tmp/tree.0"
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
    (cd "$tmp/node" && sh ../nodes)
    hash_folder "$tmp/node" | cut -c 1-64 >"$tmp/tree.$((level + 1))"
    level=$((level + 1))
  done
  top=$level
}

# The states over the first so many entries, sizes on standard input: $tmp/roots gets size, root in base64, and the key of the last
# entry, which signed it. All of them one level of the tree at a time.
find_roots() {
  sort -n -u | awk -v count="$count" '$1 > 0 && $1 + 0 <= count + 0 { print $1, $1, "-" }' >"$tmp/joined"
  : >"$tmp/joins"
  level=0
  # From the smallest full subtree to the largest: each is the left neighbour of what is already joined.
  while [ "$level" -le "$top" ]; do
    rm -rf "$tmp/node"
    mkdir "$tmp/node"
    awk -v tree="$tmp/tree.$level" -v nodes="$tmp/nodes" '
      function octal(hex,  out, i, value) {
        out = ""
        for (i = 1; i < 64; i += 2) {
          value = (index("0123456789abcdef", substr(hex, i, 1)) - 1) * 16 + index("0123456789abcdef", substr(hex, i + 1, 1)) - 1
          out = out (value == 37 ? "%%" : sprintf("\\%03o", value))
        }
        return out
      }
      BEGIN {
        printf "" >nodes
        while ((getline line < tree) > 0) full[++n] = line
      }
      $2 % 2 == 1 && $3 == "-" { $3 = full[$2] }
      $2 % 2 == 1 && $3 != full[$2] { printf "printf '\''\\001%s%s'\'' >%s\n", octal(full[$2]), octal($3), $1 >nodes }
      { print $1, int($2 / 2), $3 }' "$tmp/joined" >"$tmp/join"
    if [ -s "$tmp/nodes" ]; then
      (cd "$tmp/node" && sh ../nodes)
      hash_folder "$tmp/node" >"$tmp/joins"
      awk -v joins="$tmp/joins" '
        BEGIN { while ((getline line < joins) > 0) root[substr(line, 66)] = substr(line, 1, 64) }
        { print $1, $2, $1 in root ? root[$1] : $3 }' "$tmp/join" >"$tmp/joined"
    else
      mv "$tmp/join" "$tmp/joined"
    fi
    level=$((level + 1))
  done
  awk -F '\t' -v states="$tmp/joined" '
    function base64(hex,  out, i, bits, size) {
      hex = hex "00"
      for (i = 1; i <= 64; i++) {
        bits = bits * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
        size += 4
        if (size >= 6) {
          out = out digit(int(bits / 2 ^ (size - 6)))
          bits %= 2 ^ (size - 6)
          size -= 6
        }
      }
      return out digit(bits * 2 ^ (6 - size)) "="
    }
    function digit(value) { return substr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", value + 1, 1) }
    function state() {
      print size[at], base64(root[at]), last
      at++
    }
    BEGIN {
      at = 1
      while ((getline line < states) > 0) {
        split(line, part, " ")
        size[++n] = part[1]
        root[n] = part[3]
      }
    }
    { while (at <= n && size[at] <= $1 + 0) state()
      last = $3 }
    END { while (at <= n) state() }' "$tmp/table" >"$tmp/roots"
}

# $1.sums lists the hashes of text and signature; tokens are over it. $2 is the size.
check_sums() {
  if [ -f "$1.sums" ]; then
    printf '%s  %s.txt\n%s  %s.sig\n' "$(hash_input <"$1.txt")" "$2" "$(hash_input <"$1.sig")" "$2" 2>/dev/null | cmp -s - "$1.sums" ||
      fault "$1.sums: does not list the hashes of the checkpoint and its signature"
  fi
  for token in "$1".*.tsr; do
    [ ! -f "$token" ] || check_token "$token" "$1.sums"
  done
}

# Token $1 over $2: at the time that it states itself, for its certificate may have expired since.
check_token() {
  [ -n "$authorities" ] || return 0
  [ -f "$tmp/chain.pem" ] || cat "$logs_folder/$slug"/tsa/*.pem >"$tmp/chain.pem" 2>/dev/null || cp "$authorities" "$tmp/chain.pem"
  query=${1%.tsr}.tsq
  stated=$(openssl ts -reply -in "$1" -text 2>/dev/null | sed -n 's/^Time stamp: //p')
  seconds=$(printf '%s\n' "$stated" | awk "$seconds_of"'{ printf "%.0f\n", seconds($4, monthOf($1), $2, $3) }')
  if ! openssl ts -verify -data "$2" -in "$1" -CAfile "$authorities" -untrusted "$tmp/chain.pem" -attime "$seconds" >/dev/null 2>&1; then
    fault "$1: is not a valid time stamp of a given authority over $2"
  elif [ -f "$query" ] && ! openssl ts -verify -queryfile "$query" -in "$1" -CAfile "$authorities" -untrusted "$tmp/chain.pem" -attime "$seconds" >/dev/null 2>&1; then
    fault "$1: does not answer the query kept beside it"
  else
    printf 'Time stamp   %s: %s\n' "$1" "$stated"
  fi
}

# What the recorder kept of others that contradicts what it had seen of them.
check_forks() {
  for kept in "$logs_folder/$slug"/fork/*.note; do
    [ -f "$kept" ] || continue
    name=${kept%.note}
    if [ "${name##*.}" != "$(hash_input <"$kept" | cut -c 1-16)" ]; then
      fault "$kept: is not the note that its name says"
    else
      note "$kept: a state of $(sed -n 1p "$kept"), $(sed -n 2p "$kept") entries, that does not continue what $origin had seen of it"
    fi
  done
}

# Tokens that the log names must be here.
check_anchors() {
  while IFS='	' read -r index name size hash file; do
    token="$logs_folder/$slug/checkpoint/$size.$name.tsr"
    if [ ! -f "$token" ]; then
      fault "$file: entry $index: the token of $name for size $size is not here"
    elif [ "$(hash_input <"$token")" != "$hash" ]; then
      fault "$token: is not the token that entry $index has the hash of"
    fi
  done <"$tmp/anchors"
}

check_checkpoints() {
  covered=0
  rm -f "$tmp/chain.pem"
  awk '
    FILENAME ~ /roots$/ { state[$1] = $2 " " $3; next }
    FILENAME ~ /rolls$/ { split($0, part, "\t"); rolled[part[1] + 1] = part[4]; next }
    { print $1, ($1 in state ? state[$1] : "- -"), $1 in rolled ? rolled[$1] : "-" }' "$tmp/roots" "$tmp/rolls" "$tmp/checkpoints" >"$tmp/checking"
  while IFS=' ' read -r size root key new; do
    text="$logs_folder/$slug/checkpoint/$size.txt"
    check_sums "${text%.txt}" "$size"
    if [ ! -f "${text%.txt}.sig" ]; then
      fault "${text%.txt}.sig: is missing"
    elif [ "$size" -gt "$count" ]; then
      fault "$text: $size entries existed when this was signed, only $count are here: the end of the log is cut off"
    elif [ -f "$tmp/all/$key" ] && ! fits "$tmp/all/$key" "${text%.txt}.sig" "$text"; then
      fault "${text%.txt}.sig: does not fit $text: one of the two was altered, or another key signed"
    elif ! printf '%s\n%s\n%s\n' "$origin" "$size" "$root" | cmp -s - "$text"; then
      fault "$text: the first $size entries are not those that were signed"
    elif [ -f "$tmp/pub/$key" ]; then
      [ "$size" -le "$covered" ] || covered=$size
    fi
    if [ "$new" != - ] && ! fits "$tmp/all/$new" "${text%.txt}.new.sig" "$text"; then
      fault "${text%.txt}.new.sig: is missing or does not fit $text"
    fi
  done <"$tmp/checking"
  for signature in "$logs_folder/$slug/checkpoint"/*.sig; do
    case $signature in *.new.sig) continue ;; esac
    [ ! -f "$signature" ] || [ -f "${signature%.sig}.txt" ] || fault "${signature%.sig}.txt: is missing"
  done
  printf '             complete up to entry %s of %s, by the newest valid checkpoint\n' "$((covered - 1))" "$((count - 1))"
}

check_log() {
  origin=$(printf '%s' "$slug" | tr '_' '/')
  split_entries
  check_certificates
  check_chain
  [ "$count" -ne 0 ] || return 0
  build_tree
  list_states
  check_keys
  check_checkpoints
  check_anchors
  check_forks
  awk -v origin="$origin" '
    FILENAME ~ /sizes$/ { wanted[$1] = 1; next }
    $1 in wanted { print origin, $0 }' "$tmp/sizes" "$tmp/roots" >>"$tmp/states"
}

# Of a hand-over: the key rolls, by their statements alone.
check_statements() {
  find "$logs_folder/$slug" -name 'keyroll-*' -type f | sed -n 's|.*/keyroll-\([0-9]*\)\..*|\1|p' | sort -n -u >"$tmp/rolls"
  while IFS= read -r n; do
    statement="$logs_folder/$slug/keyroll-$n"
    old=$(sed -n 's/^old sha256:\([0-9a-f]*\)$/\1/p' "$statement.txt" 2>/dev/null)
    new=$(sed -n 's/^new sha256:\([0-9a-f]*\)$/\1/p' "$statement.txt" 2>/dev/null)
    if ! sed -n 2p "$statement.txt" 2>/dev/null | grep -qxF "origin $origin" || [ ! -f "$tmp/all/$old" ] || [ ! -f "$tmp/all/$new" ]; then
      fault "$statement.txt: is not the statement of a key roll of this log, or a certificate of it is not here"
    elif ! fits "$tmp/all/$old" "$statement.old.sig" "$statement.txt" || ! fits "$tmp/all/$new" "$statement.new.sig" "$statement.txt"; then
      fault "$statement.txt: is not signed by both keys"
    elif [ -f "$tmp/pub/$old" ]; then
      cp "$tmp/all/$new" "$tmp/pub/$new"
    fi
  done <"$tmp/rolls"
}

# Of a hand-over: the signed states of log $slug, and the entries beside the recordings, which the proofs tie to these.
check_states() {
  origin=$(printf '%s' "$slug" | tr '_' '/')
  rm -rf "$tmp/e" "$tmp/chain.pem"
  mkdir "$tmp/e"
  cp "$logs_folder/$slug/genesis.txt" "$tmp/e/00000000" 2>/dev/null ||
    fault "$logs_folder/$slug/genesis.txt: is missing"
  find . -name '*_entry.txt' -type f ! -path "./$logs_folder/*" -exec awk -v origin="$origin" -v OFS='\t' '
    function finish() {
      if (seen["origin"] == origin && seen["type"] == "recording")
        print origin, seen["index"], substr(seen["key"], 8), seen["rec"], substr(seen["hash"], 8), substr(seen["sig"], 8), seen["time"], file
      for (key in seen) delete seen[key]
    }
    FNR == 1 && NR > 1 { finish() }
    { file = FILENAME; at = index($0, " "); if (at && !(substr($0, 1, at - 1) in seen)) seen[substr($0, 1, at - 1)] = substr($0, at + 1) }
    END { finish() }' {} + >>"$tmp/sealed"
  awk -F '\t' -v origin="$origin" "$seconds_of"'
    $1 == origin {
      at = moment($7)
      if (!($3 in first) || at < first[$3]) first[$3] = at
      if (!($3 in last) || at >= last[$3]) { last[$3] = at; use[$3] = $2 "\t" $8 }
    }
    END { for (key in last) printf "%s\t%.0f\t%s\t%.0f\n", key, last[key], use[key], first[key] }' "$tmp/sealed" >"$tmp/uses"
  check_certificates
  check_statements
  for text in "$logs_folder/$slug/checkpoint"/*.txt; do
    [ -f "$text" ] || continue
    size=${text##*/}
    size=${size%.txt}
    check_sums "${text%.txt}" "$size"
    by=
    for key in "$tmp/pub"/*; do
      if [ -f "$key" ] && fits "$key" "${text%.txt}.sig" "$text"; then by=${key##*/}; fi
    done
    if [ -z "$by" ]; then
      fault "${text%.txt}.sig: is missing, does not fit $text, or there is no trusted certificate of its key"
    elif [ "$(sed -n 1p "$text")" != "$origin" ] || [ "$(sed -n 2p "$text")" != "$size" ] || [ "$(wc -l <"$text")" -ne 3 ]; then
      fault "$text: is not a checkpoint of $origin over $size entries"
    else
      printf '%s %s %s %s\n' "$origin" "$size" "$(sed -n 3p "$text")" "$by" >>"$tmp/states"
    fi
  done
  printf 'Log          %s: %s signed states\n' "$origin" "$(grep -c "^$origin " "$tmp/states")"
}

# All states that something here speaks of: checkpoints, key rolls, and the proofs beside the recordings.
list_states() {
  : >"$tmp/checkpoints"
  for text in "$logs_folder/$slug/checkpoint"/*.txt; do
    [ -f "$text" ] || continue
    size=${text##*/}
    size=${size%.txt}
    case $size in
      '' | 0* | *[!0-9]*) fault "$text: is not named by a size" ;;
      *) printf '%s\n' "$size" >>"$tmp/checkpoints" ;;
    esac
  done
  find . -name '*.tlog-proof' -type f ! -path "./$logs_folder/*" -exec awk -v origin="$origin" '
    FNR == 1 { state = 0 }
    state == 2 { if ($0 ~ /^[1-9][0-9]*$/) print; state = 3 }
    state == 1 && $0 == origin { state = 2 }
    $0 == "" && state == 0 { state = 1 }' {} + 2>/dev/null | sort -un >"$tmp/sizes"
  { cat "$tmp/checkpoints" "$tmp/sizes" && cut -f 1 "$tmp/rolls"; } | find_roots
}

# --- recordings ---------------------------------------------------------------------------------------------------------

# Compares files, lists, info files and entries; writes the signatures to be checked to $tmp/signed.
check_recordings() {
  hash_list <"$tmp/asked" >"$tmp/sums" 2>/dev/null
  awk -F '\t' -v sums="$tmp/sums" -v asked="$tmp/asked" -v signed="$tmp/signed" -v unreadable="$tmp/unreadable" \
    -v whole="$whole" -v bundle="$logs_folder" -v gone="$tmp/deleted" -v notes="$tmp/notes" '
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
        if (!(base(own[n]) in listed) && own[n] != rec "_hash.txt" && own[n] != rec "_hash.SHA256withRSA.sig" &&
          own[n] != rec "_entry.txt" && own[n] != rec ".tlog-proof")
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
      if ("Recorded-Without-Keys" in info)
        printf "note   %s: was recorded while nothing could be signed: %s\n", rec, info["Recorded-Without-Keys"] >>(notes)
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
      while ((getline text < gone) > 0) deleted[text] = 1
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
        total = split("_info.txt _hash.txt _hash.SHA256withRSA.sig" (bundle == "proof" ? " _entry.txt .tlog-proof" : ""), needed, " ")
        for (n = 1; n <= total; n++) if (!((rec needed[n]) in sum)) fault(rec needed[n], "is missing")
        if ((rec "_hash.txt") in sum) { checkList(rec); checkEntry(rec) }
      }
      if (whole)
        for (at = 1; at <= sealed; at++)
          if (!(order[at] in placed) && !(substr(uuid[order[at]], 29) in suffix) && !(uuid[order[at]] in deleted)) {
            split(order[at], part, " ")
            fault(part[1], "entry " part[2] ": recording " uuid[order[at]] " is not in the archive")
          }
      printf "Recordings   %d examined, %d in the log\n", count, sealed
    }' "$tmp/sealed" >"$tmp/compared"
  grep '^FAULT' "$tmp/compared" >>"$tmp/faults"
  grep -v '^FAULT' "$tmp/compared"
  # A signature takes a process of openssl: as many at a time as there are processors.
  job=0
  while [ "$job" -lt "$jobs" ]; do
    job=$((job + 1))
    check_signatures "$job" >"$tmp/faults.$job" &
  done
  wait
  cat "$tmp"/faults.* >>"$tmp/faults"
  check_segments
  check_proofs
}

# What the log said of files while their calls were running: the newest of it holds all before.
check_segments() {
  [ -s "$tmp/segments" ] || return 0
  awk -F '\t' -v OFS='\t' -v asked="$tmp/asked" -v sealed="$tmp/sealed" '
    BEGIN {
      while ((getline text < sealed) > 0) { split(text, part, "\t"); isSealed[part[4]] = 1 }
      while ((getline path < asked) > 0)
        if (match(path, /_[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]_info\.txt$/))
          stem[substr(path, RSTART + 1, 8)] = substr(path, 1, length(path) - 9)
    }
    ($1 in isSealed) && (substr($1, 29) in stem) {
      id = $1 $2
      if ($3 + 0 > bytes[id] + 0) { bytes[id] = $3; newest[id] = stem[substr($1, 29)] $2 OFS $3 OFS $4 OFS $5 }
    }
    END { for (id in newest) print newest[id] }' "$tmp/segments" >"$tmp/beginnings"
  while IFS='	' read -r path bytes hash index; do
    start=0
    [ ! -f "$path" ] || start=$(od -An -v -tu1 -N 4096 "$path" | awk '
      function word(at) { return sprintf("%c%c%c%c", octet[at], octet[at + 1], octet[at + 2], octet[at + 3]) }
      { for (i = 1; i <= NF; i++) octet[n++] = $i + 0 }
      END {
        if (n < 12 || word(0) != "RIFF" || word(8) != "WAVE") { print 0; exit }
        for (at = 12; at + 8 <= n; at += 8 + size + size % 2) {
          if (word(at) == "data") { print at + 8; exit }
          size = octet[at + 4] + 256 * (octet[at + 5] + 256 * (octet[at + 6] + 256 * octet[at + 7]))
        }
        print 0
      }')
    if [ ! -f "$path" ]; then
      fault "$path: is not here, though entry $index speaks of it while the call was running"
    elif [ "$(tail -c +$((start + 1)) "$path" | head -c "$bytes" | hash_input)" != "$hash" ]; then
      fault "$path: does not begin with the $bytes octets of audio that were there when entry $index was written, while the call was running"
    fi
  done <"$tmp/beginnings"
  printf 'Segments     %s files compared with what the log said while their calls were running\n' "$(wc -l <"$tmp/beginnings" | tr -d ' ')"
}

# Every $jobs-th signature, beginning with number $1.
check_signatures() {
  awk -v jobs="$jobs" -v job="$1" 'NR % jobs == job % jobs' "$tmp/signed" | while IFS='	' read -r key rec; do
    signature="${rec}_hash.SHA256withRSA.sig"
    [ -f "$signature" ] || continue
    if [ ! -f "$tmp/pub/$key" ]; then
      printf 'FAULT  %s: no trusted certificate for key sha256:%s\n' "$signature" "$key"
    elif ! fits "$tmp/pub/$key" "$signature" "${rec}_hash.txt"; then
      printf 'FAULT  %s: does not fit %s_hash.txt\n' "$signature" "$rec"
    fi
  done
}

# Follows every proof from the entry beside it to the root (RFC 9162 2.1.3.2), all of them one level at a time.
check_proofs() {
  sed -n 's/\.tlog-proof$//p' "$tmp/asked" >"$tmp/proofs"
  [ -s "$tmp/proofs" ] || return 0
  rm -rf "$tmp/node"
  mkdir "$tmp/node" "$tmp/path"
  awk -v tmp="$tmp" -v states="$tmp/states" '
    function fault(text) { printf "FAULT  %s.tlog-proof: %s\n", rec, text >>(tmp "/faults") }
    function hex(text,  out, i, bits, size, digit) {
      if (length(text) != 44 || text !~ /^[A-Za-z0-9+\/]+=$/) return ""
      for (i = 1; i < 44; i++) {
        digit = index("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", substr(text, i, 1)) - 1
        bits = bits * 64 + digit
        size += 6
        while (size >= 4) {
          value = int(bits / 2 ^ (size - 4))
          out = out substr("0123456789abcdef", value + 1, 1)
          bits -= value * 2 ^ (size - 4)
          size -= 4
        }
      }
      return bits == 0 ? out : ""
    }
    function follow(number,  line, at, n, index_, size, root, origin, fn, sn, file) {
      file = rec ".tlog-proof"
      while ((getline line < file) > 0) text[++n] = line
      close(file)
      for (at = 3; at <= n && text[at] != ""; at++) if (hex(text[at]) == "") return "holds something that is no hash"
      origin = text[at + 1]; size = text[at + 2]; root = text[at + 3]
      index_ = substr(text[2], 7)
      if (text[1] != "c2sp.org/tlog-proof@v1" || text[2] !~ /^index (0|[1-9][0-9]*)$/ || text[at + 4] != "") return "is not in its form"
      if (!((origin " " size) in state)) return "its checkpoint is not a state of the log that is here"
      if (state[origin " " size] != root) return "its checkpoint of size " size " is not a state of the log that is here"
      fn = index_ + 0; sn = size - 1
      if (fn > sn) return "is for entry " index_ " of " size
      out = ""
      for (at = 3; text[at] != ""; at++) {
        if (sn == 0) return "is too long"
        if (fn % 2 == 1 || fn == sn) {
          out = out "L " hex(text[at]) "\n"
          while (fn % 2 == 0 && fn > 0) { fn = int(fn / 2); sn = int(sn / 2) }
        } else out = out "R " hex(text[at]) "\n"
        fn = int(fn / 2); sn = int(sn / 2)
      }
      if (sn != 0) return "is too short"
      printf "%s", out >(tmp "/path/" number)
      close(tmp "/path/" number)
      printf "%s\t%s\t%s\t%s\t%s\t%s\n", number, hex(root), index_, origin, key[origin " " size], rec >(tmp "/followed")
      for (at = 1; at <= n; at++) delete text[at]
      return ""
    }
    BEGIN { while ((getline line < states) > 0) { split(line, part, " "); state[part[1] " " part[2]] = part[3]; key[part[1] " " part[2]] = part[4] } }
    { rec = $0
      for (at in text) delete text[at]
      reason = follow(sprintf("%08d", NR))
      if (reason != "") fault(reason) }' "$tmp/proofs"
  [ -s "$tmp/followed" ] || return 0
  while IFS='	' read -r number root index origin key rec; do
    if [ ! -f "${rec}_entry.txt" ]; then
      fault "$rec.tlog-proof: proves nothing without ${rec}_entry.txt"
    else
      grep -qx "index $index" "${rec}_entry.txt" || fault "$rec.tlog-proof: is for entry $index, the entry beside it is another"
      { printf '\000' && cat "${rec}_entry.txt"; } >"$tmp/node/$number"
    fi
  done <"$tmp/followed"
  hash_folder "$tmp/node" >"$tmp/reached"
  level=0
  while [ "$level" -lt 53 ]; do
    level=$((level + 1))
    awk -v path="$tmp/path/" -v level="$level" -v done="$tmp/reached.done" '
      function octal(hex,  out, i, value) {
        out = ""
        for (i = 1; i < 64; i += 2) {
          value = (index("0123456789abcdef", substr(hex, i, 1)) - 1) * 16 + index("0123456789abcdef", substr(hex, i + 1, 1)) - 1
          out = out (value == 37 ? "%%" : sprintf("\\%03o", value))
        }
        return out
      }
      { file = path $2
        line = ""
        for (at = 1; at <= level; at++) if ((getline line < file) <= 0) { line = ""; break }
        close(file)
        if (line == "") print >>done
        else if (substr(line, 1, 1) == "L") printf "printf '\''\\001%s%s'\'' >%s\n", octal(substr(line, 3)), octal($1), $2
        else printf "printf '\''\\001%s%s'\'' >%s\n", octal($1), octal(substr(line, 3)), $2 }' "$tmp/reached" >"$tmp/nodes"
    [ -s "$tmp/nodes" ] || break
    rm -rf "$tmp/node"
    mkdir "$tmp/node"
    (cd "$tmp/node" && sh ../nodes)
    hash_folder "$tmp/node" >"$tmp/reached"
  done
  awk -F '\t' -v reached="$tmp/reached.done" '
    BEGIN { while ((getline line < reached) > 0) root[substr(line, 66)] = substr(line, 1, 64) }
    ($1 in root) && root[$1] != $2 { printf "FAULT  %s.tlog-proof: does not lead from the entry to the signed root\n", $6 }' "$tmp/followed" >>"$tmp/faults"
  printf 'Proofs       %s followed to the root\n' "$(wc -l <"$tmp/followed" | tr -d ' ')"
}

# --- what was asked for -------------------------------------------------------------------------------------------------

given=
given_prints=
anchors=
authorities=
if [ $# -eq 3 ]; then
  authorities="$tmp/authorities.pem"
  cat "$3" >"$authorities" 2>/dev/null || die "$3: cannot be read"
fi
if [ $# -ge 2 ] && [ "$2" != - ]; then
  [ -r "$2" ] || die "$2: cannot be read"
  mkdir "$tmp/given"
  read_given "$2"
fi

if [ -d "$1" ]; then start=$1 file=; else start=$(dirname "$1") file=${1##*/}; fi
start=$(cd "$start" && pwd -P) || die "$1: cannot be read"
root=$start
while [ ! -d "$root/evidence" ] && [ ! -d "$root/proof" ]; do
  [ "$root" != / ] || die "$1: neither here nor above is a folder \"evidence\", or \"proof\" of a hand-over"
  root=$(dirname "$root")
done
# A hand-over has what is needed of the log, without its entries.
logs_folder=evidence
[ ! -d "$root/proof" ] || logs_folder=proof
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
  [ "$logs_folder" = proof ] || whole=1
  find . -type f ! -path "./$logs_folder/*" >"$tmp/found" || printf 'UNREADABLE  %s\n' "$root" >>"$tmp/unreadable"
else
  case $below/ in
    "$logs_folder"/*) : >"$tmp/found" ;;
    *) find "$below" -type f >"$tmp/found" || printf 'UNREADABLE  %s\n' "$below" >>"$tmp/unreadable" ;;
  esac
  case $below/ in
    "$logs_folder"/*) ;;
    *) grep -q '_[0-9a-f]\{8\}[._][^/]*$' "$tmp/found" || die "$1: no recording here" ;;
  esac
fi
sed 's|^\./||' "$tmp/found" | sort >"$tmp/asked"

logs=0
for folder in "$logs_folder"/*/; do
  [ -d "$folder" ] || continue
  slug=${folder#"$logs_folder"/}
  slug=${slug%/}
  logs=$((logs + 1))
  if [ "$logs_folder" = proof ]; then check_states; else check_log; fi
done
[ "$logs" -gt 0 ] || die "$root/$logs_folder: no log here"
check_recordings

# Names come from the archive; they must not steer the terminal.
cat "$tmp/faults" "$tmp/unreadable" "$tmp/notes" | tr '\001-\011\013-\037\177' '?'
cat <<'NOT_SHOWN'
Not shown: that the telephone system sent the true audio and names; when anything happened, for all times are statements of the
recorder; that the holder of the key has not written everything anew; that nothing was cut off behind the newest checkpoint here;
that every call reached the recorder; that every opened call was ended (sealtape-verify follows those).
NOT_SHOWN
if [ "$logs_folder" = proof ]; then
  printf 'The log itself is not here: that there are no further recordings, and that its entries continue one another, was not checked.\n'
fi
[ "$whole" -eq 1 ] || printf 'Only what was asked for was examined: missing recordings are searched from the root of the archive.\n'
[ -z "$anchors" ] || printf 'That the authority meant this recorder, and never withdrew the certificate, is for you to ask.\n'
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
