import { callId, header, partyOf, people, signs } from './evidence.ts';
import { guidIds } from './cisco-guid.ts';
import type { VendorProfile } from './profile.ts';

const shows = signs({ 'user-agent': /Cisco-SIPGateway\S*/i, 'o=': /CiscoSystemsSIP-GW-UserAgent/i });

/** Cisco CUBE with SIPREC (siprec-interop.md 4.4): the first participant is the leg that forks, the anchor. */
export const cube: VendorProfile = {
  name: 'cube',
  recognise: (evidence) => shows(evidence),
  derive: (evidence) => {
    const everybody = people(evidence);
    const present = everybody.filter(({ disassociatedAt }) => disassociatedAt === undefined);
    const [anchor] = present.length > 0 ? present : everybody;
    const why = { source: 'metadata participant 1 (anchor leg)', confidence: 'low' } as const;
    const caller = partyOf(anchor, { ...why, rule: '5.1-4' });
    const sessionIds = (evidence.state?.sessions ?? []).flatMap(({ sipSessionIds }) => sipSessionIds);
    return {
      ...(caller && { caller }),
      ...(caller?.number !== undefined && { user: { value: caller.number, ...why, rule: '5.3' } }),
      callIds: [
        ...callId('sip-session-id', sessionIds[0] ?? '', 'metadata sipSessionID'),
        ...callId('cisco-guid', header(evidence, 'cisco-guid'), 'Cisco-Guid'),
      ],
      related: guidIds(header(evidence, 'cisco-guid')),
    };
  },
};
