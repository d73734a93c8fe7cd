#!/bin/sh
# Makes the announcements that ship with the product. Needs espeak-ng, ffmpeg and sha256sum; run it after a change of the texts:
#   sh deploy/announcements/make.sh
# Each text becomes a folder <name>.<locale> with the audio in the form of each codec, and announcements.json lists them all.
set -eu
cd "$(dirname "$0")"

# name | locale | voice of espeak-ng | text
texts() {
  cat <<'TEXTS'
inbound|de|de|Guten Tag. Dieses Gespräch wird aufgezeichnet.
inbound|en|en-gb|Hello. This call is being recorded.
outbound|de|de|Guten Tag. Unser Gespräch wird von der anrufenden Seite aufgezeichnet.
outbound|en|en-gb|Hello. The calling party is recording this call.
logged-in|de|de|Sie sind angemeldet.
logged-in|en|en-gb|You are logged in.
logged-out|de|de|Sie sind abgemeldet.
logged-out|en|en-gb|You are logged out.
not-a-member|de|de|Das ist nicht möglich. Sie gehören nicht zu dieser Gruppe.
not-a-member|en|en-gb|This is not possible. You are no member of this group.
TEXTS
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
list=''
while IFS='|' read -r name locale voice text; do
  folder="$name.$locale"
  rm -rf "$folder"
  mkdir "$folder"
  espeak-ng -v "$voice" -s 150 -w "$work/spoken.wav" "$text"
  # A quarter of a second before and after: telephones need a moment to listen.
  ffmpeg -hide_banner -nostdin -v error -y -i "$work/spoken.wav" -af 'adelay=250,apad=pad_dur=0.25,volume=2dB,alimiter=limit=0.8' \
    -ac 1 -c:a pcm_s16le -fflags +bitexact "$work/padded.wav"
  for form in 'al 8000 pcm_alaw alaw' 'ul 8000 pcm_mulaw mulaw' 'g722 16000 g722 g722'; do
    # shellcheck disable=SC2086
    set -- $form
    ffmpeg -hide_banner -nostdin -v error -y -i "$work/padded.wav" -ac 1 -ar "$2" -c:a "$3" -f "$4" "$folder/audio.$1"
  done
  ffmpeg -hide_banner -nostdin -v error -y -i "$work/padded.wav" -ac 1 -ar 48000 -c:a libopus -b:a 20k -application voip \
    -frame_duration 20 -map_metadata -1 -fflags +bitexact -flags:a +bitexact -f ogg "$folder/audio.opus"
  bytes=$(wc -c <"$folder/audio.al")
  sum=$(sha256sum "$folder/audio.al" | cut -d' ' -f1)
  list="$list${list:+,
}  {
    \"name\": \"$name\",
    \"locale\": \"$locale\",
    \"folder\": \"$folder\",
    \"sha256\": \"$sum\",
    \"milliseconds\": $((bytes / 8)),
    \"encodings\": [\"PCMA\", \"PCMU\", \"G722\", \"OPUS\"]
  }"
done <<EOF2
$(texts)
EOF2
printf '[\n%s\n]\n' "$list" >announcements.json
