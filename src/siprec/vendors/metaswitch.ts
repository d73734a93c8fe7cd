import type { DerivedParty } from '../derived.ts';
import { sameNumber } from '../number-plan.ts';
import {
  callId,
  field,
  fromField,
  header,
  numberOf,
  partyOf,
  people,
  personWith,
  signs,
} from './evidence.ts';
import type { CallEvidence, DerivedFields, VendorProfile } from './profile.ts';

const shows = signs({ organization: /Metaswitch/i, 'content-type': /metaswitch-boundary/i });

/**
 * Metaswitch CFS and Perimeta (siprec-interop.md 4.1): the call type is relative to the recorded party, the other one is
 * the other participant; what was dialled may be a feature code.
 */
export const metaswitch: VendorProfile = {
  name: 'metaswitch',
  recognise: (evidence) =>
    shows(evidence) ?? (field(evidence, 'recordedparty') && 'metadata metaswitchRecordingMetadata'),
  derive: (evidence) => {
    const recorded = field(evidence, 'recordedparty');
    const user = fromField(recorded, '5.3');
    const group = fromField(field(evidence, 'businessgroup'), '5.3');
    const tenant = fromField(field(evidence, 'systemname'), '5.3');
    return {
      ...(recorded && sides(evidence, recorded.value)),
      ...(user && { user }),
      ...(group && { group }),
      ...(tenant && { tenant }),
      // No id of the PBX was ever seen in its metadata.
      callIds: callId('sip-call-id', header(evidence, 'call-id'), 'Call-ID of the recording session'),
    };
  },
};

function sides(
  evidence: CallEvidence,
  recorded: string,
): Pick<DerivedFields, 'caller' | 'callee' | 'direction'> {
  const type = field(evidence, 'calltype')?.value.toLowerCase() ?? '';
  if (type !== 'originating' && type !== 'terminating') return {};
  const source = `metadata metaswitchRecordingMetadata callType ${type}`;
  const why = { source, confidence: 'high', rule: '5.1-1' } as const;
  const user = recordedParty(evidence, recorded, why);
  const other = otherParty(evidence, type, user);
  const direction = { value: type === 'originating' ? 'out' : 'in', ...why, rule: '5.2-1' } as const;
  return type === 'originating'
    ? { caller: user, ...(other && { callee: other }), direction }
    : { callee: user, ...(other && { caller: other }), direction };
}

/** `userName` may be empty or repeat the number. */
function recordedParty(
  evidence: CallEvidence,
  number: string,
  why: Pick<DerivedParty, 'source' | 'confidence' | 'rule'>,
): DerivedParty {
  const person = personWith(people(evidence), number);
  const name = field(evidence, 'username')?.value;
  const named = name === undefined || sameNumber(name, number) ? {} : { name };
  return { number, ...named, ...(person && { participant: person.id }), ...why };
}

function otherParty(
  evidence: CallEvidence,
  type: 'originating' | 'terminating',
  user: DerivedParty,
): DerivedParty | undefined {
  const { source, confidence, rule, participant, number } = user;
  const others = people(evidence).filter(
    (person) => person.id !== participant && !sameNumber(numberOf(person), number),
  );
  const calling = field(evidence, 'callingpartynumber')?.value;
  const caller = personWith(others, calling);
  const person = type === 'terminating' ? (caller ?? others[0]) : others.find(({ id }) => id !== caller?.id);
  const found = partyOf(person, { source, confidence, rule });
  if (found !== undefined || type === 'originating' || calling === undefined) return found;
  return { number: calling, source, confidence, rule };
}
