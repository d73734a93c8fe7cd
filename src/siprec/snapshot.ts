import type { MetadataStatus } from './description.ts';
import type { MetadataState } from './metadata-state.ts';

/** Body of an UPDATE that asks for all metadata anew (RFC 7866 §9.2, RFC 7865 §7; SNAP-2). */
export const snapshotRequest = (reason?: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\r\n<requestsnapshot xmlns="urn:ietf:params:xml:ns:recording:1">\r\n${
    reason === undefined ? '' : `  <requestreason>${escaped(reason)}</requestreason>\r\n`
  }</requestsnapshot>\r\n`;

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };

const escaped = (text: string): string =>
  text.replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd]/g, '?').replace(/[&<>]/g, (sign) => ENTITIES[sign] ?? sign);

/**
 * Whether a snapshot is needed and may be asked for: the chain of updates is broken, or the last document could not be
 * read (SNAP-1, META-7), and the client's Allow lists UPDATE (SNAP-4).
 */
export function wantsSnapshot(
  known: { readonly state: MetadataState | undefined; readonly metadataStatus: MetadataStatus },
  allow: string | undefined,
): boolean {
  const broken =
    known.metadataStatus === 'invalid' || known.state?.mode === 'partial' || known.state?.incomplete === true;
  return broken && /(?:^|,)\s*UPDATE\s*(?:,|$)/i.test(allow ?? '');
}
