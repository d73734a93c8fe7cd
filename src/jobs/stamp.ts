import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import type { AlarmBell } from '../alarm.ts';
import { authorityPath, checkpointPath, formatSums, tokenPath } from '../evidence/layout.ts';
import { formatTimeStampQuery } from '../evidence/time-stamp-query.ts';
import { nonceOfQuery, readTimeStamp } from '../evidence/time-stamp.ts';
import { verifyTimeStamp } from '../evidence/verify-time-stamp.ts';
import type { EvidenceLog } from './evidence-log.ts';
import type { StampRow } from './evidence-ports.ts';
import { JobError } from './job-error.ts';
import type { CheckpointRow, LogStore } from './ports.ts';

/** Somebody who stamps, as RFC 3161 has it; `delivery/time-stamp-authority.ts` fits. */
export interface TimeStampAuthority {
  readonly name: string;
  /** Milliseconds between two stamps. */
  readonly every: number;
  /** The certificates its tokens must lead to, PEM. */
  readonly caPem: string;
  /** Sends a query and returns the response. Rejects when the authority cannot be reached. */
  ask(query: Buffer, signal: AbortSignal): Promise<Buffer>;
}

export interface StampDeps {
  readonly store: LogStore;
  readonly evidence: EvidenceLog;
  readonly authorities: readonly TimeStampAuthority[];
  readonly bell: AlarmBell;
  readonly now: () => number;
}

/** Octets. */
const NONCE = 16;
const ALARM = 'time-stamp-missing';
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Has exported checkpoints stamped by authorities outside (evidence.md 1.5). What is due waits in the database, so an authority that is
 * down gets it later, in order; nothing else waits for it.
 */
export class Stamper {
  readonly #deps: StampDeps;
  #running: Promise<void> | undefined;

  constructor(deps: StampDeps) {
    this.#deps = deps;
  }

  /** Makes the checkpoint due at every authority whose last one is old enough. */
  async request({ origin, size }: CheckpointRow): Promise<void> {
    const { store, authorities, now } = this.#deps;
    for (const { name, every } of authorities) {
      const newest = await store.evidence.newestStamp(name);
      if (newest !== undefined && now() - newest.dueAt < every) continue;
      await store.write((log) => log.evidence.putStamp({ origin, size, authority: name, dueAt: now() }));
    }
  }

  /** Fetches what is due; one run at a time. Resolves also when an authority fails, which is an alarm. */
  run(signal: AbortSignal): Promise<void> {
    this.#running ??= this.#fetchDue(signal).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Resolves when no run is under way. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #fetchDue(signal: AbortSignal): Promise<void> {
    const { authorities, store } = this.#deps;
    if (authorities.length === 0) return;
    const waiting = await store.evidence.waitingStamps();
    await Promise.all(
      authorities.map((authority) =>
        this.#fetchFrom(
          authority,
          waiting.filter((row) => row.authority === authority.name),
          signal,
        ),
      ),
    );
  }

  async #fetchFrom(
    authority: TimeStampAuthority,
    rows: readonly StampRow[],
    signal: AbortSignal,
  ): Promise<void> {
    const { bell } = this.#deps;
    const { name } = authority;
    try {
      for (const row of rows) await this.#fetch(authority, row, signal);
      if (rows.length > 0) bell.clear(ALARM, name);
    } catch (error) {
      if (signal.aborted) return;
      bell.raise({
        code: ALARM,
        subject: name,
        severity: 'warning',
        text: `the time-stamp authority ${name} gives no valid time stamp; it is asked again every minute`,
        fields: { waiting: rows.length, error: String(error) },
      });
    }
  }

  async #fetch(authority: TimeStampAuthority, row: StampRow, signal: AbortSignal): Promise<void> {
    const { store, evidence, now } = this.#deps;
    const { origin, size } = row;
    const checkpoint = (await store.checkpoints(origin, size - 1))[0];
    if (checkpoint?.size !== size) throw new JobError('CHAIN_MOVED', `no checkpoint of ${origin} at ${size}`);
    const sums = formatSums(size, { text: sha256(checkpoint.text), signature: sha256(checkpoint.signature) });
    const query = formatTimeStampQuery(sums, randomBytes(NONCE));
    const response = await authority.ask(query, signal);
    const chain = checkResponse(authority, { sums, query, response });
    await evidence.append(
      {
        type: 'anchor',
        kind: 'tsa',
        name: authority.name,
        ofOrigin: origin,
        ofSize: size,
        ofRoot: checkpoint.root,
        hash: sha256(response),
      },
      {
        change: async (log) => {
          await log.evidence.putFile(origin, checkpointPath(origin, size, 'sums'), sums);
          const token = tokenPath(origin, size, authority.name);
          await log.evidence.putFile(origin, token.replace(/tsr$/, 'tsq'), query);
          await log.evidence.putFile(origin, token, response);
          await log.evidence.putFile(origin, authorityPath(origin, authority.name, sha256(chain)), chain);
          await log.evidence.finishStamp(row, now());
        },
      },
    );
  }
}

/** The certificates of the token and of its authority, PEM. Throws JobError BAD_TOKEN, or EvidenceError for what is no token. */
function checkResponse(
  { name, caPem }: TimeStampAuthority,
  { sums, query, response }: { readonly sums: Buffer; readonly query: Buffer; readonly response: Buffer },
): Buffer {
  const stamp = readTimeStamp(response);
  const anchors = (caPem.match(CERTIFICATE) ?? []).map((pem) => new X509Certificate(pem));
  const { faults, trusted } = verifyTimeStamp(stamp, { data: sums, nonce: nonceOfQuery(query), anchors });
  if (faults.length > 0) throw new JobError('BAD_TOKEN', `${name}: the token ${faults.join('; ')}`);
  if (!trusted)
    throw new JobError('BAD_TOKEN', `${name}: the token does not lead to a certificate of its ca file`);
  const all = [...stamp.certificates, ...anchors].map((certificate) => certificate.toString().trim());
  return Buffer.from(`${[...new Set(all)].join('\n')}\n`);
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
