import { userOf } from '../address.ts';
import { decodeUcid } from '../ucid.ts';
import type { KnownParticipant } from '../participants.ts';
import { header, people, signs } from './evidence.ts';
import type { CallEvidence, VendorProfile } from './profile.ts';
import { redirectsOf } from './redirects.ts';
import { ucidFields } from './ucid-fields.ts';

const shows = signs({
  'user-agent': /Avaya\b/i,
  from: /@asbce\.com/i,
});

/**
 * Avaya SBCE (siprec-interop.md 4.7): a dummy participant until the real one comes by UPDATE, the session id is the UCID,
 * From names the recorded station and not the caller.
 */
export const avaya: VendorProfile = {
  name: 'avaya',
  recognise: (evidence) =>
    shows(evidence) ??
    (people(evidence).some(isDummy) ? 'metadata participant ASBCE' : undefined) ??
    (ucidOf(evidence) !== '' && /FA08/i.test(sessionId(evidence))
      ? 'metadata session id with a UCID'
      : undefined),
  derive: (evidence) => {
    const station = evidence.from?.number;
    return {
      dummies: people(evidence)
        .filter(isDummy)
        .map(({ id }) => id),
      ...(station !== undefined && {
        user: {
          value: station,
          source: 'From header of the recording session (recorded station)',
          confidence: 'medium',
          rule: '5.1-3',
        },
      }),
      ...ucidFields(
        ucidOf(evidence),
        decodeUcid(sessionId(evidence)) ? 'metadata session id' : 'User-to-User',
      ),
      redirects: redirectsOf(header(evidence, 'diversion'), 'Diversion'),
    };
  },
};

const sessionId = ({ state }: CallEvidence): string => state?.sessions[0]?.id ?? '';

function ucidOf(evidence: CallEvidence): string {
  const session = sessionId(evidence);
  return decodeUcid(session) ? session : header(evidence, 'user-to-user');
}

/** It stands for whoever answers, until that is known. */
const isDummy = ({ names }: KnownParticipant): boolean =>
  names.some(({ aor }) => /^sips?:ASBCE@/i.test(aor ?? '') && userOf(aor ?? '') !== undefined);
