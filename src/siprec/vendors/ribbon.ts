import { identityFrom } from '../address.ts';
import type { DerivedParty } from '../derived.ts';
import { callId, field, people, personWith, signs } from './evidence.ts';
import type { CallEvidence, VendorProfile } from './profile.ts';

const shows = signs({
  'content-type': /sonus-content-delim/i,
  'o=': /^Sonus_UAC\b/i,
  contact: /\bSIPREC-SRC\b/,
  from: /\bSIPREC-SRC\b/,
  namespace: /:callData\b/i,
  'user-agent': /\b(?:Ribbon|Sonus)\b/i,
});

/** Ribbon/Sonus (siprec-interop.md 4.10): `callData` repeats headers of the call; the order of participants tells nothing. */
export const ribbon: VendorProfile = {
  name: 'ribbon',
  recognise: (evidence) => shows(evidence),
  derive: (evidence) => {
    const caller = party(evidence, 'calldata/fromhdr');
    const callee = party(evidence, 'calldata/tohdr');
    const gcid = field(evidence, 'calldata/gcid')?.value ?? '';
    return {
      ...(caller && { caller }),
      ...(callee && { callee }),
      callIds: [
        ...callId('gcid', gcid, 'metadata callData gcid'),
        ...callId('sip-call-id', field(evidence, 'calldata/callid')?.value ?? '', 'metadata callData callid'),
      ],
      related: gcid === '' ? [] : [{ kind: 'gcid', value: gcid }],
    };
  },
};

function party(evidence: CallEvidence, path: string): DerivedParty | undefined {
  const found = field(evidence, path);
  const identity = identityFrom(found?.value ?? '');
  if (found === undefined || identity === undefined) return undefined;
  const person = personWith(people(evidence), identity.number);
  return {
    ...identity,
    ...(person && { participant: person.id }),
    source: `metadata ${found.path}`,
    confidence: 'high',
    rule: '5.1-1',
  };
}
