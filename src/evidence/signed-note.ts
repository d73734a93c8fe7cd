import { Buffer } from 'node:buffer';
import { createHash, type KeyObject } from 'node:crypto';
import { EvidenceError } from './evidence-error.ts';
import { verifySignature } from './signature.ts';

/*
 * C2SP signed-note: a text, an empty line, signature lines `— <name> base64(key id ‖ signature)`. RSA has no type of its own there, so ours
 * are of the private type 0xff followed by an identifier. The signature of a log is the very one that stands in `<size>.sig`.
 */

export interface NoteSignature {
  /** Whose key: a log's origin. */
  readonly name: string;
  /** First four octets of the key's hash, hex. */
  readonly keyId: string;
  readonly signature: Buffer;
}

export interface SignedNote {
  /** With its final line feed. */
  readonly text: Buffer;
  readonly signatures: readonly NoteSignature[];
}

/** What a key signs: a log its checkpoint, or a witness a checkpoint with the time at which it saw it. */
export type NoteKeyUse = 'log' | 'witness';

const IDENTIFIERS: Readonly<Record<NoteKeyUse, string>> = {
  log: 'siprec-log/RSA-PKCS1-SHA256',
  witness: 'siprec-witness/RSA-PKCS1-SHA256',
};
const DASH = '\u2014';
const NAME = /^[!-*,-~]{1,600}$/;
/** More lines than this are nobody's checkpoint. */
const MOST_SIGNATURES = 64;
const TIME_BYTES = 8;

/** SHA-256(name ‖ LF ‖ 0xff ‖ identifier ‖ SubjectPublicKeyInfo), its first four octets, hex. */
export function noteKeyId(name: string, use: NoteKeyUse, publicKey: KeyObject): string {
  return createHash('sha256')
    .update(`${name}\n`)
    .update(Uint8Array.of(0xff))
    .update(IDENTIFIERS[use])
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .slice(0, 8);
}

/** Throws EvidenceError BAD_NOTE for a name or text that a note cannot hold. */
export function formatNote({ text, signatures }: SignedNote): Buffer {
  const string = text.toString('utf8');
  if (!string.endsWith('\n') || hasControls(string) || signatures.length === 0)
    throw new EvidenceError(
      'BAD_NOTE',
      'text without a last line feed, with controls, or without a signature',
    );
  return Buffer.concat([text, Buffer.from('\n'), formatSignatures(signatures)]);
}

/** The signature lines alone, as a witness answers. Throws EvidenceError BAD_NOTE. */
export function formatSignatures(signatures: readonly NoteSignature[]): Buffer {
  const lines = signatures.map(({ name, keyId, signature }) => {
    if (!NAME.test(name) || !/^[0-9a-f]{8}$/.test(keyId)) throw new EvidenceError('BAD_NOTE', `key ${name}`);
    const blob = Buffer.concat([Buffer.from(keyId, 'hex'), signature]).toString('base64');
    return `${DASH} ${name} ${blob}\n`;
  });
  return Buffer.from(lines.join(''));
}

/** Reads a note; throws EvidenceError BAD_NOTE for anything `formatNote` would not write. Says nothing about the signatures. */
export function parseNote(bytes: Uint8Array): SignedNote {
  const whole = Buffer.from(bytes);
  const at = whole.lastIndexOf('\n\n');
  if (at < 0) throw new EvidenceError('BAD_NOTE', 'no empty line before the signatures');
  const text = whole.subarray(0, at + 1);
  const note = { text, signatures: parseSignatures(whole.subarray(at + 2)) };
  if (!formatNote(note).equals(whole)) throw new EvidenceError('BAD_NOTE', 'not in canonical form');
  return note;
}

/** Reads signature lines; throws EvidenceError BAD_NOTE. */
export function parseSignatures(bytes: Uint8Array): readonly NoteSignature[] {
  const lines = Buffer.from(bytes).toString('utf8').split('\n');
  if (lines.pop() !== '' || lines.length === 0 || lines.length > MOST_SIGNATURES)
    throw new EvidenceError('BAD_NOTE', `${lines.length} signature lines`);
  return lines.map((line) => {
    const [dash, name = '', base64 = '', ...rest] = line.split(' ');
    const blob = Buffer.from(base64, 'base64');
    const canonical = blob.length > 4 && blob.toString('base64') === base64;
    if (dash !== DASH || !NAME.test(name) || !canonical || rest.length > 0)
      throw new EvidenceError('BAD_NOTE', 'a signature line is damaged');
    return { name, keyId: blob.toString('hex', 0, 4), signature: blob.subarray(4) };
  });
}

/** Whether the note carries a valid signature of the log by this key. Never throws. */
export function isSignedByLog(note: SignedNote, name: string, publicKey: KeyObject): boolean {
  return ofKey(note, { name, use: 'log', publicKey }).some(({ signature }) =>
    verifySignature(publicKey, note.text, signature),
  );
}

/** What a witness signs (as C2SP cosignature/v1): that at `seconds` (since 1970) it saw the checkpoint, consistent with all before. */
export const cosignedBytes = (checkpoint: Uint8Array, seconds: number): Buffer =>
  Buffer.concat([Buffer.from(`cosignature/v1\ntime ${seconds}\n`), checkpoint]);

/** The blob in a cosignature's line behind the key id: the time, 8 octets big-endian, and the signature. */
export function cosignatureOf(seconds: number, signature: Uint8Array): Buffer {
  const time = Buffer.alloc(TIME_BYTES);
  time.writeBigUInt64BE(BigInt(seconds));
  return Buffer.concat([time, signature]);
}

/** When (seconds since 1970) a witness cosigned the note, by a valid cosignature of this key; undefined without one. Never throws. */
export function cosignedAt(note: SignedNote, name: string, publicKey: KeyObject): number | undefined {
  for (const { signature } of ofKey(note, { name, use: 'witness', publicKey })) {
    if (signature.length <= TIME_BYTES) continue;
    const seconds = Number(signature.readBigUInt64BE(0));
    if (verifySignature(publicKey, cosignedBytes(note.text, seconds), signature.subarray(TIME_BYTES)))
      return seconds;
  }
  return undefined;
}

function ofKey(
  { signatures }: SignedNote,
  key: { readonly name: string; readonly use: NoteKeyUse; readonly publicKey: KeyObject },
): readonly NoteSignature[] {
  const id = noteKeyId(key.name, key.use, key.publicKey);
  return signatures.filter(({ name, keyId }) => name === key.name && keyId === id);
}

const hasControls = (text: string): boolean => /[\u0000-\u0009\u000b-\u001f]/.test(text);
