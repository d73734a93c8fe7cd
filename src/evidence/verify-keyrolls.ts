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

/**
 * The key rolls of a log that is not here, by their statements alone: two signatures over them are what the person who trusts the first
 * certificate needs.
 */
export function verifyStatements(
  files: readonly KeyrollFiles[],
  { origin, keyring }: Pick<KeyrollContext, 'origin' | 'keyring'>,
): readonly Finding[] {
  return files
    .toSorted((a, b) => Number(a.n) - Number(b.n))
    .flatMap((each) => {
      const statement = each.text === undefined ? undefined : read(each.text);
      if (statement?.origin !== origin || `${statement.n}` !== each.n)
        return [
          fault('KEYROLL_INVALID', `${each.file}.txt`, 'is not the statement of a key roll of this log'),
        ];
      const faults = [...signatureFaults(each, statement, keyring), ...certificateFaults(statement, keyring)];
      if (faults.length === 0) keyring.vouch(statement.old, statement.new);
      return faults.map(([ending, detail]) => fault('KEYROLL_INVALID', `${each.file}${ending}`, detail));
    });
}

type Fault = readonly [ending: string, detail: string];

function faultsOf(
  { index, body }: KeyrollEntry,
  files: KeyrollFiles | undefined,
  { origin, tree, keyring }: KeyrollContext,
): readonly Fault[] {
  const text = files?.text;
  if (files === undefined || text === undefined) return [['.txt', 'is missing']];
  const statement = read(text);
  if (statement === undefined) return [['.txt', 'is not the statement of a key roll']];
  const faults: Fault[] = [];
  const expected = { ...body, origin, size: index, root: rootAt(tree, index), time: statement.time };
  for (const key of ['origin', 'n', 'size', 'root', 'old', 'new', 'certNew'] as const)
    if (statement[key] !== expected[key])
      faults.push(['.txt', `${key} is not what entry ${index} and the log say`]);
  const strange = ([ending, signature, proof]: readonly [string, Uint8Array | undefined, string]): Fault[] =>
    signature === undefined || sha256(signature) === proof
      ? []
      : [[ending, `is not the signature that entry ${index} has the hash of`]];
  return [
    ...faults,
    ...strange(['.old.sig', files.oldSignature, body.proofOld]),
    ...strange(['.new.sig', files.newSignature, body.proofNew]),
    ...signatureFaults(files, body, keyring),
    ...certificateFaults(body, keyring),
  ];
}

type Rolled = Pick<KeyrollStatement, 'old' | 'new' | 'certNew'>;

/** Both keys must have signed the statement. */
function signatureFaults(
  { text = new Uint8Array(), oldSignature, newSignature }: KeyrollFiles,
  keys: Rolled,
  keyring: Keyring,
): readonly Fault[] {
  const signatures = [
    ['.old.sig', oldSignature, keys.old],
    ['.new.sig', newSignature, keys.new],
  ] as const;
  return signatures.flatMap(([ending, signature, key]): readonly Fault[] => {
    const publicKey = keyring.publicKey(key);
    if (signature === undefined) return [[ending, 'is missing']];
    if (publicKey === undefined) return [[ending, `no certificate for key sha256:${key}`]];
    return verifySignature(publicKey, text, signature) ? [] : [[ending, 'does not fit the statement']];
  });
}

const certificateFaults = (keys: Rolled, keyring: Keyring): readonly Fault[] =>
  keyring.keyOf(keys.certNew) === keys.new
    ? []
    : [['.txt', 'the new certificate is not here, or is of another key']];

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
