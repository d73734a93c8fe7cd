import { plainText } from '../plain-text.ts';
import type { DerivedParty, RelatedId } from '../derived.ts';
import { callId, header } from './evidence.ts';
import type { CallEvidence, DerivedFields, VendorProfile } from './profile.ts';

/**
 * Built-in bridge recording of Cisco CUCM (siprec-interop.md 4.6): two dialogs a call without metadata; who is who stands
 * in parameters of the From URI. The near end is the recorded user; who called whom is not signalled.
 */
export const cucmBib: VendorProfile = {
  name: 'cucm-bib',
  recognise: (evidence) => {
    const side = sideOf(evidence);
    return side && `From x-${side}end`;
  },
  derive: (evidence) => {
    const parameters = parametersOf(evidence);
    const [near, far] = [partyOf(parameters, 'near'), partyOf(parameters, 'far')];
    const ids = [refciOf(parameters, 'near'), refciOf(parameters, 'far')].filter((id) => id !== '');
    const cluster = parameters.get('x-nearendclusterid') ?? '';
    const from = { source: 'From URI', confidence: 'high', rule: '5.3' } as const;
    return {
      ...(near && { caller: near, user: { ...from, value: near.number ?? '', source: near.source } }),
      ...(far && { callee: far }),
      unordered: true,
      ...(cluster !== '' && { tenant: { ...from, value: cluster, source: 'From x-nearendclusterid' } }),
      callIds: [
        ...callId('refci', ids[0] ?? '', 'From x-refci'),
        ...callId('refci', ids[1] ?? '', 'From x-farendrefci'),
        ...callId('cisco-session-id', parameters.get('x-sessionid') ?? '', 'From x-sessionid'),
      ],
      related: ids.map((value): RelatedId => ({ kind: 'refci', value })),
      ...pairOf(evidence, ids),
    };
  },
};

const parametersOf = (evidence: CallEvidence): ReadonlyMap<string, string> =>
  new Map(
    header(evidence, 'from')
      .split(/[;>]/)
      .slice(1)
      .map((parameter) => {
        const [name = '', value = ''] = parameter.split('=');
        return [name.trim().toLowerCase(), plainText(value)];
      }),
  );

function sideOf(evidence: CallEvidence): 'near' | 'far' | undefined {
  if (!/x-(?:near|far)end/i.test(evidence.headers['from'] ?? '')) return undefined;
  const parameters = parametersOf(evidence);
  if (parameters.has('x-nearend')) return 'near';
  return parameters.has('x-farend') ? 'far' : undefined;
}

function partyOf(parameters: ReadonlyMap<string, string>, side: 'near' | 'far'): DerivedParty | undefined {
  const number = parameters.get(`x-${side}endaddr`) ?? '';
  const name = parameters.get(`x-${side}enddevice`) ?? '';
  if (number === '') return undefined;
  return {
    number,
    ...(name !== '' && side === 'near' && { name }),
    source: `From x-${side}endaddr (${side} end; who called is not signalled)`,
    confidence: 'medium',
    rule: '5.1-2',
  };
}

/** Call references count within a cluster. */
function refciOf(parameters: ReadonlyMap<string, string>, side: 'near' | 'far'): string {
  const reference = parameters.get(side === 'near' ? 'x-refci' : 'x-farendrefci') ?? '';
  const cluster = parameters.get(`x-${side}endclusterid`) ?? '';
  return reference === '' ? '' : `${cluster}/${reference}`;
}

/** Both dialogs name both references. */
function pairOf(evidence: CallEvidence, ids: readonly string[]): Pick<DerivedFields, 'pair'> {
  const side = sideOf(evidence);
  return side === undefined || ids.length === 0 ? {} : { pair: { side, key: ids.join(' ') } };
}
