import { EvidenceError } from './evidence-error.ts';

/** Who writes a log: `<domain>/siprec/<installation>/<node>/e<epoch>` (evidence.md 1.3). */
export interface Origin {
  /** The customer's domain. */
  readonly domain: string;
  readonly installation: string;
  readonly node: string;
  /** From 1; a new one begins whenever the log cannot be continued (restored backup, lost key). */
  readonly epoch: number;
}

/** Lower case only and no underscore: the slug must stay unique on file systems that ignore case. */
const PART = /^[a-z0-9][a-z0-9.-]{0,127}$/;
const PRODUCT = 'siprec';

/** The origin line. Throws EvidenceError BAD_ORIGIN for a part outside `[a-z0-9.-]`, longer than 128 or an epoch below 1. */
export function formatOrigin({ domain, installation, node, epoch }: Origin): string {
  for (const part of [domain, installation, node])
    if (!PART.test(part)) throw new EvidenceError('BAD_ORIGIN', `part ${JSON.stringify(part)}`);
  if (!Number.isSafeInteger(epoch) || epoch < 1) throw new EvidenceError('BAD_ORIGIN', `epoch ${epoch}`);
  return [domain, PRODUCT, installation, node, `e${epoch}`].join('/');
}

/** Reads an origin line; throws EvidenceError BAD_ORIGIN for anything `formatOrigin` would not write. */
export function parseOrigin(text: string): Origin {
  const [domain = '', , installation = '', node = '', last = ''] = text.split('/');
  const origin: Origin = { domain, installation, node, epoch: Number(last.slice(1)) };
  if (formatOrigin(origin) !== text) throw new EvidenceError('BAD_ORIGIN', JSON.stringify(text));
  return origin;
}

/** An origin's folder below `evidence/`: slashes become underscores, which no part contains. */
export function slugOf(origin: string): string {
  parseOrigin(origin);
  return origin.replaceAll('/', '_');
}

/** The origin that follows when a log cannot be continued. Throws EvidenceError BAD_ORIGIN. */
export function nextEpoch(origin: string): string {
  const parts = parseOrigin(origin);
  return formatOrigin({ ...parts, epoch: parts.epoch + 1 });
}
