import { userOf } from '../address.ts';
import { sameNumber } from '../number-plan.ts';
import { callId, field, fromField, numberOf, partyOf, people, personWith, signs } from './evidence.ts';
import type { CallEvidence, DerivedFields, VendorProfile } from './profile.ts';

const shows = signs({ 'user-agent': /jambonz/i, namespace: /jambonz/i });

/**
 * jambonz (siprec-interop.md 4.12). A released version has calling and called number the wrong way round, so they only
 * confirm what the addresses of the participants say.
 */
export const jambonz: VendorProfile = {
  name: 'jambonz',
  recognise: (evidence) =>
    shows(evidence) ?? (field(evidence, 'callsid') && field(evidence, 'accountsid') && 'metadata callsid'),
  derive: (evidence) => {
    const tenant = fromField(field(evidence, 'accountsid'), '5.3');
    const call = field(evidence, 'callsid')?.value ?? '';
    return {
      ...sides(evidence),
      ...(tenant && { tenant }),
      callIds: callId('jambonz-call-sid', call, 'metadata callsid'),
      related: call === '' ? [] : [{ kind: 'jambonz-call-sid', value: call }],
    };
  },
};

function sides(evidence: CallEvidence): Pick<DerivedFields, 'caller' | 'callee'> {
  const [calling, called] = [numberIn(evidence, 'callingnumber'), numberIn(evidence, 'callednumber')];
  const [first, second] = people(evidence);
  if (calling === undefined || called === undefined || !first || !second) return {};
  const both = personWith([first, second], calling) && personWith([first, second], called);
  // Numbers that name nobody in the call confirm nothing.
  if (!both || sameNumber(calling, called)) return {};
  const turned = !sameNumber(numberOf(first), calling) && numberOf(first) !== calling;
  const source = turned
    ? 'metadata participants; callingnumber and callednumber are swapped'
    : 'metadata participants, callingnumber and callednumber agree';
  const why = { source, confidence: 'medium', rule: '5.1-2' } as const;
  const [caller, callee] = [partyOf(first, why), partyOf(second, why)];
  return { ...(caller && { caller }), ...(callee && { callee }) };
}

function numberIn(evidence: CallEvidence, path: string): string | undefined {
  const found = field(evidence, path);
  return found && userOf(found.value);
}
