import { identityFrom } from '../address.ts';
import type { DerivedParty } from '../derived.ts';
import { guidIds } from './cisco-guid.ts';
import { callId, header } from './evidence.ts';
import type { VendorProfile } from './profile.ts';

const HEADER = 'x-cisco-recording-participant';

/** Network-based recording of Cisco CUBE (siprec-interop.md 4.5): no metadata, one header per party with its m-line. */
export const cubeNbr: VendorProfile = {
  name: 'cube-nbr',
  recognise: (evidence) =>
    evidence.headers[HEADER] === undefined ? undefined : 'X-Cisco-Recording-Participant',
  derive: (evidence) => {
    const [caller, callee] = parties(header(evidence, HEADER));
    const guid = header(evidence, 'cisco-guid');
    return {
      ...(caller && { caller }),
      ...(callee && { callee }),
      callIds: callId('cisco-guid', guid, 'Cisco-Guid'),
      related: guidIds(guid),
    };
  },
};

/** `<sip:1001@192.0.2.1>;media-index="0"`, repeated; in the order of the m-lines. */
function parties(text: string): readonly DerivedParty[] {
  const entries = text.matchAll(/(<[^>]*>|sips?:[^\s,;]+)((?:\s*;[^,"]*(?:"[^"]*")?)*)/g);
  return [...entries]
    .map(([, address = '', parameters = '']) => {
      const line = /media-index\s*=\s*"?\s*(\d{1,2})/i.exec(parameters)?.[1];
      return { line: line === undefined ? undefined : Number(line), identity: identityFrom(address) };
    })
    .toSorted((a, b) => (a.line ?? 99) - (b.line ?? 99))
    .map(({ line, identity }, position) => ({
      ...identity,
      ...(line !== undefined && { line }),
      source: `X-Cisco-Recording-Participant ${line === undefined ? `number ${position + 1}` : `media-index ${line}`}`,
      confidence: 'medium',
      rule: '5.1-2',
    }));
}
