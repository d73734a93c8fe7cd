import { callId, signs } from './evidence.ts';
import type { CallEvidence, DerivedFields, VendorProfile } from './profile.ts';

/** Clients without data of their own: the general rules say who and whom, sipSessionID is the call they recorded. */
const plain = (
  name: string,
  patterns: Readonly<Record<string, RegExp>>,
  derive: (evidence: CallEvidence) => DerivedFields = () => ({}),
): VendorProfile => ({ name, recognise: signs(patterns), derive });

/** The Call-ID of the recorded call, which these write into sipSessionID (siprec-interop.md 5.4). */
const recordedCallId = ({ state }: CallEvidence): DerivedFields => {
  const id = state?.sessions.flatMap(({ sipSessionIds }) => sipSessionIds)[0] ?? '';
  return {
    callIds: callId('sip-call-id', id, 'metadata sipSessionID'),
    related: id === '' ? [] : [{ kind: 'sip-call-id', value: id }],
  };
};

/** siprec-interop.md 4.11. */
export const opensips = plain(
  'opensips',
  {
    'content-type': /OSS-unique-boundary-42/,
    'call-id': /^B2B\.\d/,
    'user-agent': /\bOpenSIPS\b/i,
    server: /\bOpenSIPS\b/i,
  },
  recordedCallId,
);

/** siprec-interop.md 4.13. */
export const freeswitch = plain(
  'freeswitch',
  { 'user-agent': /FreeSWITCH/i, 'o=': /^FreeSWITCH\b/i },
  recordedCallId,
);
export const sems = plain('sems', {
  'user-agent': /\bSEMS\b|\bSip Express Media Server\b/i,
  'o=': /^sems\b/i,
});

const showsTelnyx = signs({ 'user-agent': /telnyx/i, contact: /telnyx/i, from: /telnyx/i });

/** siprec-interop.md 4.14: data of the customer comes as SIP headers or as ExtensionParameters, whatever it is. */
export const telnyx: VendorProfile = {
  name: 'telnyx',
  recognise: (evidence) =>
    showsTelnyx(evidence) ?? (hasExtensionParameters(evidence) ? 'metadata ExtensionParameters' : undefined),
  derive: () => ({}),
};

const hasExtensionParameters = ({ state }: CallEvidence): boolean =>
  state?.extensions.some(({ path }) => /^extensionparameters\b/.test(path)) === true;

export const twilio = plain('twilio', { 'user-agent': /twilio/i, contact: /twilio/i, from: /twilio/i });
