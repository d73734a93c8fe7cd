export const INFO_ENDING = '_info.txt';
export const HASH_ENDING = '_hash.txt';
export const SIGNATURE_ENDING = '_hash.SHA256withRSA.sig';
/** The entry's bytes and the proof that it is in the log; written after the seal, so `_hash.txt` does not list them. */
export const ENTRY_ENDING = '_entry.txt';
export const PROOF_ENDING = '.tlog-proof';

const RECORDING =
  /^([0-9]{8}T[0-9]{6}\.[0-9]{3}(?:Z|[+-][0-9]{4})(?:_[A-Za-z0-9.+-]+){3}_[0-9a-f]{8})(?=[._])/;

/** `<rec>`, the recording that a base name belongs to; undefined when it is not a recording's file. */
export const recordingOf = (name: string): string | undefined => RECORDING.exec(name)?.[1];

/** Whether the base name is that of audio of the recording: `<rec>.wav`, `<rec>_caller.opus`, `<rec>_caller-pcmu.wav`. */
export function isAudioOf(recording: string, name: string): boolean {
  return name.startsWith(recording) && isAudioEnding(name.slice(recording.length));
}

/** Whether that can follow `<rec>` in the name of an audio file. */
export const isAudioEnding = (text: string): boolean =>
  /^(?:_[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*)?\.[a-z0-9]{1,32}$/.test(text) &&
  !text.endsWith('.txt') &&
  text.length <= 200;
