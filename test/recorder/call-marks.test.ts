import { describe, expect, test } from '@jest/globals';
import { CallMarks, type MarkSeen } from '../../src/recorder/call-marks.ts';
import type { ParticipantEntry } from '../../src/siprec/description.ts';
import { aDescription, anOffer } from '../support/recorder-fakes.ts';
import { concludeDialog } from '../siprec/vendor-call.ts';

const person = (user: string, change: Partial<ParticipantEntry> = {}): ParticipantEntry => ({
  id: `id-${user}`,
  aor: `sip:${user}@pbx.example`,
  sends: ['1'],
  ...change,
});

const among = (...users: readonly (string | ParticipantEntry)[]) =>
  aDescription({ participants: users.map((user) => (typeof user === 'string' ? person(user) : user)) });

const kinds = (marks: readonly MarkSeen[]): readonly string[] =>
  marks.map(({ kind, detail }) => (detail === undefined ? kind : `${kind} ${detail}`));

describe('the marks of a call', () => {
  test('with two lines and one party: it rings, and who comes next has answered', () => {
    const marks = new CallMarks(among('4711'), anOffer());
    expect(kinds(marks.first)).toEqual(['ringing']);
    const answer = person('20', { associatedAt: '2026-11-23T18:45:36Z' });
    expect(kinds(marks.described(among('4711', answer)))).toEqual([
      'answered 20, associated 2026-11-23T18:45:36Z',
    ]);
    expect(kinds(marks.described(among('4711', answer)))).toEqual([]);
  });

  test('with both parties or one mixed line say nothing of a beginning that nobody told', () => {
    expect(new CallMarks(among('4711', '20'), anOffer()).first).toEqual([]);
    expect(new CallMarks(among('4711'), anOffer(['sendonly'])).first).toEqual([]);
    expect(new CallMarks(among(), anOffer()).first).toEqual([]);
  });

  test('after an interruption of the recorder do not begin anew', () => {
    const continues = { recording: 'a', from: '2026-11-23T18:45:30Z', to: '2026-11-23T18:45:40Z' };
    expect(new CallMarks({ ...among('4711'), continues }, anOffer()).first).toEqual([]);
  });

  test('offered with inactive streams: it is answered when they become active, once', () => {
    const marks = new CallMarks(among('4711', '20'), anOffer(['inactive', 'inactive']));
    expect(kinds(marks.first)).toEqual(['ringing']);
    expect(marks.offered(true)).toEqual([]);
    expect(kinds(marks.offered(false))).toEqual(['answered']);
    expect(marks.offered(false)).toEqual([]);
  });

  test.each([
    ['in one message', [among('4711', '30')], ['transferred 20 to 30']],
    ['in two messages', [among('4711'), among('4711', '30')], ['left 20', 'transferred 20 to 30']],
    ['under the same id', [among('4711', person('30', { id: 'id-20' }))], ['transferred 20 to 30']],
    ['to where it was already', [among('4711', person('20', { id: 'other' }))], []],
  ])('handed on %s', (_how, messages, expected) => {
    const marks = new CallMarks(among('4711', '20'), anOffer());
    expect(messages.flatMap((message) => kinds(marks.described(message)))).toEqual(expected);
  });

  test('with a third party: it joins and leaves, and nobody is transferred', () => {
    const marks = new CallMarks(among('4711', '20'), anOffer());
    const gone = person('30', { disassociatedAt: '2026-11-23T18:50:00Z' });
    const messages = [among('4711', '20', '30'), among('4711', '20', gone)];
    expect(messages.flatMap((message) => kinds(marks.described(message)))).toEqual(['joined 30', 'left 30']);
  });

  test('without metadata: one number in place of another', () => {
    const number = (value: string) => ({ number: value, source: 'header', confidence: 'high' }) as const;
    const marks = new CallMarks(aDescription({ callee: number('20') }), anOffer());
    expect(kinds(marks.described(aDescription({ callee: number('30') })))).toEqual(['transferred 20 to 30']);
    const swapped = aDescription({ caller: number('30'), callee: aDescription().caller });
    expect(marks.described(swapped)).toEqual([]);
  });
});

/** The marks of a stored dialog, message by message. */
function replay(vendor: string, messages: readonly string[]): readonly string[] {
  const [first = '', ...later] = messages;
  const begun = concludeDialog(vendor, [], first);
  const offer = begun.offer ?? anOffer();
  const marks = new CallMarks(begun.description, offer);
  return [
    ...kinds(marks.first),
    ...later.flatMap((name, at) => {
      const next = concludeDialog(vendor, messages.slice(0, at + 1), name);
      const inactive = next.offer?.lines.every(({ direction }) => direction === 'inactive');
      return [
        ...kinds(marks.described(next.description)),
        ...(inactive === undefined ? [] : kinds(marks.offered(inactive))),
      ];
    }),
  ];
}

describe('in the stored dialogs', () => {
  test.each([
    ['oracle', ['invite', 'answered', 'hold'], [/^ringing$/, /^answered .*/]],
    ['avaya-sbce', ['mono-invite', 'mono-update'], [/^ringing$/, /^answered \+12025550111/]],
    ['avaya-sbce', ['cancelled-invite'], [/^ringing$/]],
    [
      'cube-siprec',
      ['invite', 'answered', 'hold', 'transfer'],
      [/^ringing$/, /^answered$/, /^transferred 2025550144 to 2025550166, associated/],
    ],
    ['broadworks', ['mixed-invite', 'mixed-pause', 'mixed-resume', 'mixed-redirect'], [/^transferred /]],
    [
      'webex',
      ['invite', 'transfer-narrow', 'transfer-widen', 'conference-join'],
      [/^transferred /, /^joined /],
    ],
    ['cube-nbr', ['invite', 'transfer'], [/^transferred /]],
    ['rfc', ['two-invite', 'two-hold', 'two-transfer'], [/^transferred /]],
    ['rfc', ['conference-invite', 'conference-join', 'conference-drop'], [/^joined /, /^left /]],
    ['metaswitch', ['originating-invite', 'originating-hold', 'originating-resume'], []],
    ['twilio', ['invite', 'refresh'], []],
    ['telnyx', ['invite', 'refresh'], []],
  ])('of %s %j', (vendor, messages, expected) => {
    expect(replay(vendor, messages)).toEqual(
      expected.map((pattern) => expect.stringMatching(pattern) as unknown),
    );
  });
});
