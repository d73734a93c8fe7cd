import type { DerivedParty } from '../derived.ts';
import { field, fields, fromField, header, partyOf, people, signs } from './evidence.ts';
import type { CallEvidence, VendorProfile } from './profile.ts';
import { redirectsOf } from './redirects.ts';
import { ucidFields } from './ucid-fields.ts';

const shows = signs({
  namespace: /acmepacket/i,
  contact: /\bacmeSrc\b/i,
  from: /\bacmeSrc\b/i,
  'user-agent': /\b(?:Oracle|Acme ?Packet)\b/i,
});

/**
 * Oracle/ACME session border controllers (siprec-interop.md 4.8). `callingParty` tells the caller; `callerOrig` of the
 * session contradicts it and is not used.
 */
export const oracle: VendorProfile = {
  name: 'oracle',
  recognise: (evidence) => shows(evidence),
  derive: (evidence) => {
    const realm = fromField(field(evidence, 'realm') ?? field(evidence, 'in-realm'), '5.3');
    const ucid = field(evidence, 'ucid')?.value ?? '';
    return {
      ...sides(evidence),
      ...(realm && { tenant: realm }),
      ...ucidFields(
        ucid === '' ? header(evidence, 'user-to-user') : ucid,
        ucid === '' ? 'User-to-User' : 'metadata ucid',
      ),
      redirects: fields(evidence, 'header[diversion]/value').flatMap(({ value }) =>
        redirectsOf(value, 'metadata header Diversion'),
      ),
    };
  },
};

function sides(evidence: CallEvidence): { readonly caller?: DerivedParty; readonly callee?: DerivedParty } {
  const said = new Map(
    fields(evidence, 'callingparty').map(({ id, value }) => [id, value.toLowerCase() === 'true']),
  );
  const everybody = people(evidence);
  const caller = everybody.find(({ id }) => said.get(id) === true);
  const callee =
    everybody.find(({ id }) => said.get(id) === false) ??
    (caller && everybody.find(({ id }) => id !== caller.id));
  const why = { confidence: 'high', rule: '5.1-1' } as const;
  const calling = partyOf(caller, { source: 'metadata callingParty true', ...why });
  const called = partyOf(callee, { source: 'metadata callingParty false', ...why });
  return { ...(calling && { caller: calling }), ...(called && { callee: called }) };
}
