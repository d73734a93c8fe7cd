import { isNumber, userOf } from '../address.ts';
import type { DerivedItem, DerivedParty, RelatedId } from '../derived.ts';
import type { ExtensionField } from '../extension.ts';
import type { KnownParticipant } from '../participants.ts';
import { callId, field, fields, fromField, header, numberOf, people, personWith, signs } from './evidence.ts';
import type { CallEvidence, DerivedFields, VendorProfile } from './profile.ts';

const showsBroadworks = signs({
  'call-id': /^BW\d/,
  'o=': /^BroadWorks\b/i,
  'x-broadworks-correlation-info': /\S+/,
  'content-type': /UniqueBroadWorksBoundary/i,
});

/** Cisco BroadWorks on premises (siprec-interop.md 4.2). */
export const broadworks: VendorProfile = {
  name: 'broadworks',
  recognise: (evidence) =>
    showsBroadworks(evidence) ?? (field(evidence, 'exttrackingid') && 'metadata broadWorksRecordingMetadata'),
  derive: deriveBroadworks,
};

const showsWebex = signs({ 'user-agent': /webex/i });

/** Cisco Webex Calling (siprec-interop.md 4.3): the same data, with internal ids for the recorded user. */
export const webex: VendorProfile = {
  name: 'webex',
  recognise: (evidence) =>
    showsWebex(evidence) ??
    (people(evidence).some(({ names }) => names.some(({ aor }) => /\.bcld\.webex\.com\b/i.test(aor ?? '')))
      ? 'metadata aor at bcld.webex.com'
      : undefined),
  derive: deriveBroadworks,
};

function deriveBroadworks(evidence: CallEvidence): DerivedFields {
  const user = fromField(field(evidence, 'userid'), '5.3');
  const group = fromField(field(evidence, 'groupid'), '5.3');
  const tenant = fromField(field(evidence, 'serviceproviderid'), '5.3');
  const tracking = field(evidence, 'exttrackingid')?.value ?? '';
  const correlation = header(evidence, 'x-broadworks-correlation-info').split(',')[0]?.trim() ?? '';
  return {
    ...sides(evidence),
    ...(user && { user }),
    ...(group && { group }),
    ...(tenant && { tenant }),
    callIds: [
      ...callId('ext-tracking-id', tracking, 'metadata extTrackingID'),
      ...(tracking === correlation
        ? []
        : callId('ext-tracking-id', correlation, 'X-BroadWorks-Correlation-Info')),
      ...callId('broadworks-call-half', field(evidence, 'callid')?.value ?? '', 'metadata callID'),
    ],
    related: relatedIds([
      tracking,
      correlation,
      // After a redirection this is the id the call goes on with.
      ...fields(evidence, 'newexttrackingid').map(({ value }) => value),
    ]),
    redirects: redirects(evidence),
  };
}

/** `:1` and the like behind the id count the legs of one call. */
const relatedIds = (ids: readonly string[]): readonly RelatedId[] =>
  [...new Set(ids.map((id) => id.replace(/:\d+$/, '')))]
    .filter((value) => value !== '')
    .map((value) => ({ kind: 'ext-tracking-id', value }));

function sides(evidence: CallEvidence): Pick<DerivedFields, 'caller' | 'callee' | 'direction'> {
  const calling = field(evidence, 'callingpartynumber');
  const called = field(evidence, 'calledpartynumber');
  const everybody = people(evidence);
  const [caller, callee] = [personWith(everybody, plain(calling)), personWith(everybody, plain(called))];
  const rest = recordedUser(everybody.filter(({ id }) => id !== caller?.id && id !== callee?.id));
  return {
    ...(calling && { caller: party(calling, caller ?? (callee && rest)) }),
    ...(called && { callee: party(called, callee ?? (caller && rest)) }),
    ...directionOf(`${calling?.path ?? ''} ${called?.path ?? ''}`),
  };
}

/** `origCall` and `termCall` are relative to the recorded user. */
function directionOf(paths: string): Pick<DerivedFields, 'direction'> {
  const type = /(?:^|\/)(orig|term)call\//.exec(paths)?.[1];
  if (type === undefined) return {};
  const source = `metadata broadWorksRecordingMetadata ${type}Call`;
  return { direction: { value: type === 'orig' ? 'out' : 'in', source, confidence: 'high', rule: '5.2-1' } };
}

/** The recorded user of Webex has an internal id instead of a number: the only one left, or the only one without a number. */
function recordedUser(rest: readonly KnownParticipant[]): KnownParticipant | undefined {
  const present = rest.filter(({ disassociatedAt }) => disassociatedAt === undefined);
  const unnumbered = present.filter((person) => !isNumber(numberOf(person) ?? ''));
  const [one, ...more] = present.length === 1 ? present : unnumbered;
  return more.length === 0 ? one : undefined;
}

const plain = (found: ExtensionField | undefined): string | undefined =>
  found === undefined ? undefined : userOf(found.value);

const party = (found: ExtensionField, person: KnownParticipant | undefined): DerivedParty => ({
  number: plain(found) ?? found.value,
  ...(person && { participant: person.id }),
  source: `metadata ${found.path}`,
  confidence: 'high',
  rule: '5.1-1',
});

const REDIRECTS: readonly (readonly [string, string])[] = [
  ['origcallednumber', 'original-called'],
  ['lastredirectnumber', 'last-redirecting'],
  ['redirectedfrompartynumber', 'redirected-from'],
  ['redirectedtopartynumber', 'redirected-to'],
];

const redirects = (evidence: CallEvidence): readonly DerivedItem[] =>
  REDIRECTS.flatMap(([path, kind]) => {
    const derived = fromField(field(evidence, path), '5.2');
    return derived ? [{ kind, ...derived }] : [];
  });
