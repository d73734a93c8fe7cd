import { describe, expect, test } from '@jest/globals';
import { isNumber, userOf } from '../../src/siprec/address.ts';
import { parseBody } from '../../src/siprec/body.ts';
import { describeCall, type CallDescription } from '../../src/siprec/description.ts';
import { applyUpdate, type MetadataState } from '../../src/siprec/metadata-state.ts';
import { parseMetadata } from '../../src/siprec/metadata.ts';
import { parseSdp, type SessionOffer } from '../../src/siprec/sdp.ts';
import { loadMessage } from './fixture.ts';

const lines = (...labels: readonly (string | undefined)[]): SessionOffer =>
  parseSdp(
    `v=0\no=- 1 1 IN IP4 192.0.2.1\nt=0 0\nc=IN IP4 192.0.2.1\n${labels
      .map(
        (label, index) =>
          `m=audio ${4000 + index} RTP/AVP 8\n${label === undefined ? '' : `a=label:${label}\n`}`,
      )
      .join('')}`,
  );

const state = (xml: string): MetadataState =>
  applyUpdate(undefined, parseMetadata(`<recording>${xml}</recording>`), Date.UTC(2026, 10, 23));

const person = (id: string, ...sends: readonly string[]): string =>
  `<participant id="${id}"><aor>sip:${id}@pbx.example</aor>${sends.map((use) => `<send>${use}</send>`).join('')}</participant>`;

const stream = (id: string, label: string): string => `<stream id="${id}"><label>${label}</label></stream>`;

const tell = (offer: SessionOffer, xml?: string): CallDescription =>
  describeCall({ offer, state: xml === undefined ? undefined : state(xml), metadataStatus: 'complete' });

describe('caller and callee', () => {
  // Participants in document order, each with the label it sends; in all rows anna is the caller.
  test.each<[string, readonly string[], Readonly<Record<string, string>>, number]>([
    ['label 1 is the caller, whatever the order (OpenSIPS)', ['0', '1'], { anna: '1', bert: '0' }, 1],
    ['label 1 is the caller though the other is named first', ['1', '2'], { bert: '2', anna: '1' }, 0],
    ['a_leg is the caller', ['b_leg', 'a_leg'], { bert: 'b_leg', anna: 'a_leg' }, 1],
    ['inbound is the caller', ['outbound', 'inbound'], { bert: 'outbound', anna: 'inbound' }, 1],
    ['without such a label the first participant', ['10', '20'], { anna: '20', bert: '10' }, 1],
  ])('%s', (_title, labels, people, line) => {
    const xml = Object.entries(people).map(
      ([id, label]) => person(id, `s-${label}`) + stream(`s-${label}`, label),
    );
    const said = tell(lines(...labels), xml.join(''));
    expect(said.caller).toMatchObject({ number: 'anna', confidence: 'low' });
    expect(said.callee).toMatchObject({ number: 'bert', confidence: 'low' });
    expect(said.callerLine).toBe(line);
    expect(said.calleeLine).toBe(1 - line);
    expect(said.channelSource).toContain('persons by send association and label');
  });

  test('says which rule decided', () => {
    const said = tell(
      lines('10', '20'),
      person('anna', 'x') + person('bert', 'y') + stream('x', '10') + stream('y', '20'),
    );
    expect(said.channelSource).toBe(
      'the first participant is the caller (low confidence); persons by send association and label',
    );
    expect(said.caller.source).toBe('metadata participant 1 (sends label 10)');
  });

  test('without any association the order of streams stands for that of participants', () => {
    const said = tell(lines('0', '1'), person('anna') + person('bert') + stream('x', '1') + stream('y', '0'));
    expect(said).toMatchObject({ callerLine: 1, caller: { number: 'anna' }, callee: { number: 'bert' } });
    expect(said.channelSource).toContain('order of streams and participants (low confidence)');
  });

  test('without labels the first m-line and the first participant are the caller', () => {
    const said = tell(lines(undefined, undefined), person('anna') + person('bert'));
    expect(said).toMatchObject({ callerLine: 0, caller: { number: 'anna' }, callee: { number: 'bert' } });
    expect(said.channelSource).toBe(
      'the first m-line is the caller (low confidence); persons by participant order (low confidence)',
    );
  });

  test('a participant whose stream has no m-line is named without a line of its own', () => {
    const said = tell(lines('10', '20'), person('anna', 'x') + person('dummy', 'gone') + stream('x', '10'));
    expect(said).toMatchObject({ callerLine: 0, caller: { number: 'anna' }, callee: { number: 'dummy' } });
    expect(said.callee.source).toContain('by participant order');
  });

  test('one line is mixed: people are named, channels are not', () => {
    const said = tell(lines('1'), person('anna', 'x') + person('bert', 'x') + stream('x', '1'));
    expect(said).toMatchObject({ caller: { number: 'anna' }, callee: { number: 'bert' } });
    expect(said).not.toHaveProperty('callerLine');
    expect(said).not.toHaveProperty('calleeLine');
  });

  test('a rejected line takes no side from a recorded one', () => {
    const offer = parseSdp(
      'v=0\nc=IN IP4 192.0.2.1\nt=0 0\nm=audio 2 RTP/SAVP 8\nm=audio 4 RTP/AVP 8\nm=audio 6 RTP/AVP 8',
    );
    expect(tell(offer)).toMatchObject({ callerLine: 1, calleeLine: 2 });
  });

  test('a transfer shows the new participant, the end of the call still shows both sides', () => {
    let known: MetadataState | undefined;
    const seen: (string | undefined)[][] = [];
    for (const name of ['rfc-basic', 'rfc-hold', 'rfc-transfer', 'rfc-bye']) {
      const message = loadMessage(name);
      const body = parseBody(message.headers.get('content-type'), message.body);
      known = applyUpdate(known, parseMetadata(body.metadata ?? ''), Date.UTC(2026, 10, 23, 19));
      const said = describeCall({ offer: lines('1', '2'), state: known, metadataStatus: 'complete' });
      seen.push([said.caller.name, said.callee.name]);
    }
    expect(seen).toEqual([
      ['Bob B', 'Paul P'],
      ['Bob B', 'Paul P'],
      ['Bob B', 'Carol C'],
      ['Bob B', 'Carol C'],
    ]);
  });
});

describe('without metadata', () => {
  const from = { name: 'Desk', aor: 'sip:+15550100@pbx.example' };

  test('From and To of the recording session are the last resort', () => {
    const said = describeCall({
      offer: lines(undefined, undefined),
      state: undefined,
      metadataStatus: 'absent',
      from,
      to: { aor: 'sip:+15550199@pbx.example' },
    });
    expect(said.caller).toEqual({
      name: 'Desk',
      number: '+15550100',
      aor: 'sip:+15550100@pbx.example',
      source: 'From header of the recording session',
      confidence: 'low',
      rule: '5.1-3',
    });
    expect(said.callee).toMatchObject({ number: '+15550199', source: 'To header of the recording session' });
  });

  test.each([
    ['the recorder itself on both sides', { aor: 'sip:srs@rec.example' }, { aor: 'sip:srs@rec.example' }],
    ['no user', { aor: 'sip:rec.example' }, { aor: 'sip:@rec.example' }],
  ])('%s says nothing', (_title, fromHeader, to) => {
    const said = describeCall({
      offer: lines('1', '2'),
      state: undefined,
      metadataStatus: 'absent',
      from: fromHeader,
      to,
    });
    expect([said.caller, said.callee]).toEqual([
      { source: 'not signalled', confidence: 'low' },
      { source: 'not signalled', confidence: 'low' },
    ]);
  });

  test('a To that is no number is the recorder, not the callee', () => {
    const said = describeCall({
      offer: lines('1'),
      state: undefined,
      metadataStatus: 'absent',
      from,
      to: { aor: 'sip:srs@x' },
    });
    expect(said.callee.source).toBe('not signalled');
  });
});

describe('the rest of a description', () => {
  test('the direction is unknown until something says it', () => {
    expect(tell(lines('1', '2'))).toMatchObject({ direction: 'unknown', directionSource: 'not signalled' });
  });

  test.each([
    [
      'sipSessionID first',
      '<session id="s"><sipSessionID>abc</sipSessionID></session>',
      'abc',
      'metadata sipSessionID',
    ],
    ['else the session id', '<session id="s"/>', 's', 'metadata session id'],
    [
      'of the session that goes on',
      '<session id="old"><stop-time>2026-11-23T18:00:00Z</stop-time></session><session id="new"/>',
      'new',
      'metadata session id',
    ],
  ])('names the call id of the PBX: %s (siprec-interop 5.4)', (_title, xml, value, source) => {
    expect(tell(lines('1', '2'), xml).pbxCallId).toEqual({
      value,
      source,
      confidence: 'medium',
      rule: '5.4',
    });
  });

  test('warns of labels that are doubled or lead nowhere (META-10)', () => {
    expect(tell(lines('1', '1'), stream('x', '9')).warnings).toEqual([
      'label 1 is on more than one m-line',
      'metadata names label 9, the SDP does not',
    ]);
  });
});

describe('userOf', () => {
  test.each([
    ['sip:+15550100@pbx.example;user=phone', '+15550100'],
    ['sips:alice@pbx.example', 'alice'],
    ['sip:alice:secret@pbx.example', 'alice'],
    ['sip:+15550100;phone-context=example.com@pbx.example', '+15550100'],
    ['sip:%2B15550100@pbx.example', '+15550100'],
    ['sip:%zz@pbx.example', '%zz'],
    ['tel:+1-555-0100;ext=5', '+1-555-0100'],
    ['5550122', '5550122'],
    ['alice@pbx.example', 'alice'],
    ['sip:@pbx.example', undefined],
    ['sip:pbx.example', undefined],
    ['', undefined],
  ])('%s', (aor, user) => {
    expect(userOf(aor)).toBe(user);
  });

  test.each([
    ['+15550100', true],
    ['*21', true],
    ['201', true],
    ['srs', false],
    ['+', false],
    ['srs1', false],
  ])('isNumber(%s) is %p', (user, number) => {
    expect(isNumber(user)).toBe(number);
  });
});

test('headers in which an administrator lets the PBX tell its id count last, and nothing else that begins with X-', () => {
  const said = describeCall({
    offer: lines('1', '2'),
    state: state('<session id="s1"/>'),
    metadataStatus: 'complete',
    headers: { 'x-pbx-call-id': ' 4711-a\t', 'x-uuid': 's1', 'x-call-id-hint': 'no', 'x-color': 'red' },
  });
  expect(said.pbxCallId?.value).toBe('s1');
  expect(said.pbxCallIds?.map(({ kind, value, source }) => [kind, value, source])).toEqual([
    ['session', 's1', 'metadata session id'],
    ['header', '4711-a', 'x-pbx-call-id header'],
  ]);
});
