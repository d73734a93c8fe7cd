import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { EvidenceError } from './evidence-error.ts';
import { fault, type Finding } from './finding.ts';
import type { KeyrollEntry } from './key-check.ts';
import type { Keyring } from './keyring.ts';
import { parseKeyroll, type KeyrollStatement } from './keyroll.ts';
import type { MerkleTree } from './merkle-tree.ts';
import { verifySignature } from './signature.ts';

/** `keyroll-<n>.txt` and its two signatures, as far as they are there. */
export interface KeyrollFiles {
  /** Path without the ending. */
  readonly file: string;
  readonly n: string;
  readonly text?: Uint8Array | undefined;
  readonly oldSignature?: Uint8Array | undefined;
  readonly newSignature?: Uint8Array | undefined;
}

export interface KeyrollContext {
  readonly origin: string;
  readonly folder: string;
  readonly tree: MerkleTree;
  readonly keyring: Keyring;
}

/**
 * Verifies every key roll: statement, both signatures, certificate. A key that an accepted one hands over to is accepted from then on,
 * so that a person needs to know the first certificate only (evidence.md 1.6).
 */
export function verifyKeyrolls(
  rolls: readonly KeyrollEntry[],
  files: readonly KeyrollFiles[],
  context: KeyrollContext,
): readonly Finding[] {
  const unused = new Set(files);
  const findings = rolls.flatMap((roll) => {
    const own = files.find(({ n }) => n === `${roll.body.n}`);
    if (own !== undefined) unused.delete(own);
    const file = own?.file ?? `${context.folder}/keyroll-${roll.body.n}`;
    const faults = faultsOf(roll, own, context);
    if (faults.length === 0) context.keyring.vouch(roll.body.old, roll.body.new);
    return faults.map(([ending, detail]) => fault('KEYROLL_INVALID', `${file}${ending}`, detail));
  });
  const strange = [...unused].map(({ file }) =>
    fault('KEYROLL_INVALID', `${file}.txt`, 'is of a key roll that the log does not have'),
  );
  return [...findings, ...strange];
}

type Fault = readonly [ending: string, detail: string];

function faultsOf(
  { index, body }: KeyrollEntry,
  files: KeyrollFiles | undefined,
  { origin, tree, keyring }: KeyrollContext,
): readonly Fault[] {
  const { text, oldSignature, newSignature } = files ?? {};
  if (text === undefined) return [['.txt', 'is missing']];
  const statement = read(text);
  if (statement === undefined) return [['.txt', 'is not the statement of a key roll']];
  const faults: Fault[] = [];
  const expected = { ...body, origin, size: index, root: rootAt(tree, index), time: statement.time };
  for (const key of ['origin', 'n', 'size', 'root', 'old', 'new', 'certNew'] as const)
    if (statement[key] !== expected[key])
      faults.push(['.txt', `${key} is not what entry ${index} and the log say`]);
  const signatures = [
    ['.old.sig', oldSignature, body.proofOld, body.old],
    ['.new.sig', newSignature, body.proofNew, body.new],
  ] as const;
  for (const [ending, signature, proof, key] of signatures) {
    const publicKey = keyring.publicKey(key);
    if (signature === undefined) faults.push([ending, 'is missing']);
    else if (sha256(signature) !== proof)
      faults.push([ending, `is not the signature that entry ${index} has the hash of`]);
    else if (publicKey === undefined) faults.push([ending, `no certificate for key sha256:${key}`]);
    else if (!verifySignature(publicKey, text, signature))
      faults.push([ending, 'does not fit the statement']);
  }
  if (keyring.keyOf(body.certNew) !== body.new)
    faults.push(['.txt', 'the new certificate is not here, or is of another key']);
  return faults;
}

function read(text: Uint8Array): KeyrollStatement | undefined {
  try {
    return parseKeyroll(text);
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    return undefined;
  }
}

const rootAt = (tree: MerkleTree, size: number): string =>
  size > 0 && size <= tree.size ? Buffer.from(tree.root(size), 'hex').toString('base64') : '';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
