import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { identityFrom } from '../../src/siprec/address.ts';
import { describeCall, type CallDescription } from '../../src/siprec/description.ts';
import { applyUpdate } from '../../src/siprec/metadata-state.ts';
import { parseMetadata } from '../../src/siprec/metadata.ts';
import { parseSdp } from '../../src/siprec/sdp.ts';
import { VENDOR_HEADERS } from '../../src/siprec/vendor-headers.ts';
import { PROFILE_NAMES } from '../../src/siprec/vendors/choose.ts';

interface Told {
  readonly xml?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly profile?: string;
  readonly ownNumbers?: readonly string[];
  readonly srcTimeZone?: string;
  readonly labels?: readonly string[];
}

function tell({ xml, labels = ['1', '2'], ...rest }: Told): CallDescription {
  const lines = labels.map((label, index) => `m=audio ${4000 + 2 * index} RTP/AVP 8\na=label:${label}\n`);
  const state =
    xml === undefined
      ? undefined
      : applyUpdate(undefined, parseMetadata(`<recording>${xml}</recording>`), Date.UTC(2026, 10, 23));
  const offer = parseSdp(`v=0\no=- 1 1 IN IP4 192.0.2.1\nt=0 0\nc=IN IP4 192.0.2.1\n${lines.join('')}`);
  const from = identityFrom(rest.headers?.['from'] ?? '');
  return describeCall({
    offer,
    state,
    metadataStatus: state?.mode ?? 'absent',
    ...rest,
    ...(from && { from }),
  });
}

/** A participant who sends the stream with a label. */
const person = (id: string, label: string, inside = ''): string =>
  `<participant id="${id}"><aor>sip:${id}@pbx.example</aor><send>s${label}</send>${inside}</participant><stream id="s${label}"><label>${label}</label></stream>`;

describe('the profile of a call (siprec-interop 4)', () => {
  test.each<[string, Readonly<Record<string, string>>]>([
    ['metaswitch', { organization: 'Metaswitch Networks' }],
    ['broadworks', { 'call-id': 'BW184530123231126@198.51.100.1' }],
    ['webex', { 'user-agent': 'Cisco-Webex/1' }],
    ['cube', { 'user-agent': 'Cisco-SIPGateway/IOS-17.9' }],
    ['cube-nbr', { 'x-cisco-recording-participant': '<sip:1@x>;media-index="0"' }],
    ['cucm-bib', { from: '<sip:1@x;x-farend;x-refci=1>' }],
    ['oracle', { contact: '<sip:acmeSrc@198.51.100.1>;+sip.src' }],
    ['audiocodes', { 'user-agent': 'Mediant SW/v.7.4' }],
    ['ribbon', { 'content-type': 'multipart/mixed;boundary=sonus-content-delim' }],
    ['opensips', { 'content-type': 'multipart/mixed;boundary=OSS-unique-boundary-42' }],
    ['freeswitch', { 'user-agent': 'FreeSWITCH-mod_sofia' }],
    ['jambonz', { 'user-agent': 'jambonz' }],
    ['telnyx', { 'user-agent': 'Telnyx SIPREC' }],
    ['twilio', { 'user-agent': 'Twilio Gateway' }],
  ])('%s is recognised by %j', (profile, headers) => {
    const said = tell({ headers });
    expect(said.profile).toBe(profile);
    expect(said.profileSource).toMatch(/^recognised by /);
  });

  test('is what the trunk says, whatever shows', () => {
    expect(tell({ profile: 'avaya', headers: { 'user-agent': 'FreeSWITCH' } })).toMatchObject({
      profile: 'avaya',
      profileSource: 'trunk setting',
    });
  });

  test('is not there when nothing shows', () => {
    expect(tell({ headers: { 'user-agent': 'phone/1' } })).not.toHaveProperty('profile');
  });

  test.each(PROFILE_NAMES)('%s survives a call that says nothing', (profile) => {
    expect(tell({ profile })).toMatchObject({ caller: { source: 'not signalled' }, direction: 'unknown' });
  });
});

describe('caller and callee (siprec-interop 5.1)', () => {
  const apkt = (calling: boolean): string =>
    `<extensiondata xmlns:apkt="http://acmepacket.com/siprec"><apkt:callingParty>${calling}</apkt:callingParty></extensiondata>`;

  test('Oracle: callingParty decides against order, label and callerOrig', () => {
    const said = tell({
      xml: `<session id="s"><extensiondata><apkt:callerOrig xmlns:apkt="http:/acmepacket.com/siprec">false</apkt:callerOrig></extensiondata></session>${person('100', '1', apkt(false))}${person('200', '2', apkt(true))}`,
    });
    expect(said).toMatchObject({
      profile: 'oracle',
      caller: { number: '200', source: 'metadata callingParty true', confidence: 'high', rule: '5.1-1' },
      callee: { number: '100', confidence: 'high' },
      callerLine: 1,
      calleeLine: 0,
    });
  });

  test('Metaswitch: the other participant, never the digits that were dialled', () => {
    const data = (type: string): string =>
      `<extensiondata><metaswitchRecordingMetadata><callType>${type}</callType><recordedParty>+12025550123</recordedParty><dialedDigits>*11</dialedDigits></metaswitchRecordingMetadata></extensiondata>`;
    const people = `<participant id="a"><aor>2025550199</aor></participant><participant id="b"><aor>2025550123</aor></participant>`;
    expect(tell({ xml: people + data('originating'), labels: ['1'] })).toMatchObject({
      caller: { number: '+12025550123' },
      callee: { number: '2025550199' },
      direction: 'out',
      directionRule: '5.2-1',
    });
    expect(tell({ xml: people + data('terminating'), labels: ['1'] })).toMatchObject({
      caller: { number: '2025550199' },
      callee: { number: '+12025550123' },
      direction: 'in',
    });
  });

  test.each<[string, readonly [string, string], string, RegExp]>([
    ['as they are', ['100', '200'], 'medium', /agree/],
    ['swapped', ['200', '100'], 'medium', /are swapped/],
    ['of strangers', ['300', '400'], 'low', /sends label/],
  ])('jambonz: numbers %s', (_title, [calling, called], confidence, source) => {
    const data = `<extensiondata><jb:accountsid xmlns:jb="urn:x">a</jb:accountsid><jb:callsid>c</jb:callsid><jb:callingnumber>${calling}</jb:callingnumber><jb:callednumber>${called}</jb:callednumber></extensiondata>`;
    const said = tell({ xml: person('100', '1') + person('200', '2') + data });
    expect(said.caller).toMatchObject({ number: '100', confidence, source: expect.stringMatching(source) });
    expect(said.callee).toMatchObject({ number: '200' });
  });

  test('network-based recording: the header names the m-line', () => {
    const said = tell({
      headers: {
        'x-cisco-recording-participant':
          '<sip:200@192.0.2.5>;media-index="1",<sip:100@192.0.2.5>;media-index="0"',
      },
    });
    expect(said).toMatchObject({
      caller: { number: '100', confidence: 'medium' },
      callee: { number: '200' },
      callerLine: 0,
      calleeLine: 1,
    });
  });
});

describe('direction (siprec-interop 5.2)', () => {
  const ownNumbers = ['100-199', '+4989555*'];

  test.each([
    ['100', '+15550199', 'out'],
    ['+15550199', '100', 'in'],
    ['100', '+49895557', 'internal'],
    ['+15550199', '+15550177', 'unknown'],
  ])('from %s to %s by number plan: %s', (caller, callee, direction) => {
    const said = tell({ xml: person(caller, '1') + person(callee, '2'), ownNumbers });
    expect(said).toMatchObject({ direction, directionConfidence: 'low', directionRule: '5.2-2' });
    expect(said.directionSource).toMatch(/^number plan: caller (?:in|ex)ternal, callee (?:in|ex)ternal$/);
  });

  test('of a bridged phone: internal or not signalled', () => {
    const from = (far: string): string =>
      `<sip:100@x;x-nearend;x-refci=1;x-nearendaddr=100;x-farendrefci=2;x-farendaddr=${far}>`;
    expect(tell({ headers: { from: from('101') }, ownNumbers, labels: ['1'] }).direction).toBe('internal');
    expect(tell({ headers: { from: from('5550199') }, ownNumbers, labels: ['1'] }).direction).toBe('unknown');
  });

  test('patterns that cannot be read belong to nobody', () => {
    const xml = person('100', '1') + person('200', '2');
    expect(tell({ xml, ownNumbers: ['99-1'] }).direction).toBe('unknown');
  });
});

describe('times without offset (siprec-interop 2.4)', () => {
  const xml =
    '<participant id="a"><aor>1</aor><associate-time>2026-07-01T10:00:00</associate-time></participant>' +
    '<participant id="b"><aor>2</aor><associate-time>2026-12-01T10:00:00Z</associate-time></participant>';

  test.each([
    ['stay as they are', undefined, '2026-07-01T10:00:00'],
    ['are read in the zone of the trunk, summer time included', 'Europe/Berlin', '2026-07-01T10:00:00+02:00'],
    ['also west of Greenwich', 'America/St_Johns', '2026-07-01T10:00:00-02:30'],
    ['stay as they are when nobody knows the zone', 'Mars/Base', '2026-07-01T10:00:00'],
  ])('%s', (_title, srcTimeZone, text) => {
    const { participants } = tell({ xml, ...(srcTimeZone !== undefined && { srcTimeZone }) });
    expect(participants.map(({ associatedAt }) => associatedAt)).toEqual([text, '2026-12-01T10:00:00Z']);
  });
});

test('nothing a client writes into headers or extensions makes a profile throw', () => {
  const value = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.constantFrom('<sip:1@x>;media-index="0"', '<sip:a;x-nearend;x-refci=', '"', '<<>>', 'FA08', '-', ','),
  );
  const headers = fc.dictionary(fc.constantFrom(...VENDOR_HEADERS), value);
  const names = fc.constantFrom(
    'callType',
    'recordedParty',
    'callingParty',
    'ucid',
    'fromhdr',
    'callingnumber',
    'userID',
  );
  const xml = fc
    .array(fc.tuple(names, fc.stringMatching(/^[\w+;@:. -]{0,20}$/)), { maxLength: 6 })
    .map((all) => all.map(([name, text]) => `<x:${name}>${text}</x:${name}>`).join(''));
  fc.assert(
    fc.property(fc.constantFrom(undefined, ...PROFILE_NAMES), headers, xml, (profile, sent, data) => {
      const said = tell({
        xml: `${person('100', '1', data)}${data}<group id="g"><callData>${data}</callData></group>`,
        headers: sent,
        ...(profile !== undefined && { profile }),
        ownNumbers: ['100'],
      });
      for (const { source, rule } of [said.user, said.group, said.tenant].flatMap((derived) => derived ?? []))
        expect([source, rule]).not.toContain('');
    }),
    { numRuns: 500 },
  );
});
