import { describe, expect, test } from '@jest/globals';
import { parseBody } from '../../src/siprec/body.ts';
import { applyUpdate, type MetadataState } from '../../src/siprec/metadata-state.ts';
import { parseMetadata } from '../../src/siprec/metadata.ts';
import { loadMessage } from './fixture.ts';

const at = Date.UTC(2026, 10, 23, 19, 0, 0);

const apply = (state: MetadataState | undefined, xml: string): MetadataState =>
  applyUpdate(state, parseMetadata(xml), at);

function play(...names: readonly string[]): MetadataState {
  let state: MetadataState | undefined;
  for (const name of names) {
    const message = loadMessage(name);
    state = apply(state, parseBody(message.headers.get('content-type'), message.body).metadata ?? '');
  }
  if (state === undefined) throw new Error('no fixture named');
  return state;
}

const people = (state: MetadataState): unknown =>
  state.participants.map(({ names, labels, sends, disassociatedAt }) => ({
    who: names[0]?.name,
    labels,
    sending: sends.length > 0,
    left: disassociatedAt?.text,
  }));

describe('applyUpdate', () => {
  test('starts from a complete document (META-4)', () => {
    expect(people(play('rfc-basic'))).toEqual([
      { who: 'Bob B', labels: ['1'], sending: true, left: undefined },
      { who: 'Paul P', labels: ['2'], sending: true, left: undefined },
    ]);
  });

  test('a hold empties the send set but keeps who belongs to which label (META-8)', () => {
    expect(people(play('rfc-basic', 'rfc-hold'))).toEqual([
      { who: 'Bob B', labels: ['1'], sending: false, left: undefined },
      { who: 'Paul P', labels: ['2'], sending: false, left: undefined },
    ]);
  });

  test('a transfer in the same session adds one participant and dates the leaving of another (RFC 8068 3.2.3)', () => {
    expect(people(play('rfc-basic', 'rfc-transfer'))).toEqual([
      { who: 'Bob B', labels: ['1'], sending: true, left: undefined },
      { who: 'Paul P', labels: ['2'], sending: false, left: '2026-11-23T18:47:00Z' },
      { who: 'Carol C', labels: ['2'], sending: true, left: undefined },
    ]);
  });

  test('the end of the session implies that everyone left; who left before keeps that time', () => {
    expect(people(play('rfc-basic', 'rfc-transfer', 'rfc-bye'))).toEqual([
      expect.objectContaining({ who: 'Bob B', left: '2026-11-23T18:50:00Z' }),
      expect.objectContaining({ who: 'Paul P', left: '2026-11-23T18:47:00Z' }),
      expect.objectContaining({ who: 'Carol C', left: '2026-11-23T18:50:00Z' }),
    ]);
  });

  test('a complete document replaces: who is missing left when it arrived (META-4)', () => {
    const state = apply(
      play('rfc-basic'),
      '<recording><participant id="n"><name>New</name></participant></recording>',
    );
    expect(people(state)).toEqual([
      { who: 'New', labels: [], sending: false, left: undefined },
      { who: 'Bob B', labels: ['1'], sending: false, left: '2026-11-23T19:00:00.000Z' },
      { who: 'Paul P', labels: ['2'], sending: false, left: '2026-11-23T19:00:00.000Z' },
    ]);
    expect(state.sessions).toEqual([
      expect.objectContaining({ stoppedAt: { text: '2026-11-23T19:00:00.000Z', epoch: at } }),
    ]);
  });

  test('repeating a complete document changes nothing', () => {
    expect(play('rfc-basic', 'rfc-basic')).toEqual(play('rfc-basic'));
  });

  test('a participant that comes back is present again', () => {
    const gone = play('rfc-basic', 'rfc-transfer');
    const back = apply(
      gone,
      `<recording><datamode>partial</datamode><participantsessionassoc participant_id="zSfPoSvdSDCmU3A3TRDxAw=="
        session_id="hVpd7YQgRW2nD22h7q60JQ=="><associate-time>2026-11-23T18:48:00Z</associate-time>
        </participantsessionassoc></recording>`,
    );
    expect(back.participants[1]).toMatchObject({ associatedAt: { text: '2026-11-23T18:48:00Z' } });
    expect(back.participants[1]).not.toHaveProperty('disassociatedAt');
  });

  test('a partial document without a base is applied and flagged', () => {
    const state = play('rfc-transfer');
    expect(state.mode).toBe('partial');
    expect(state.warnings).toEqual(['partial metadata before any complete one']);
    expect(state.participants).toEqual([expect.objectContaining({ labels: ['2'] })]);
  });

  test('a later partial document leaves the state complete (META-4)', () => {
    expect(play('rfc-basic', 'rfc-hold').mode).toBe('complete');
  });

  test('references to nobody change nothing (siprec-interop 2.3)', () => {
    const state = apply(
      play('rfc-basic'),
      `<recording><datamode>partial</datamode><participantstreamassoc participant_id="x"><send>y</send>
        </participantstreamassoc><participantsessionassoc participant_id="x" session_id="z"/></recording>`,
    );
    expect(people(state)).toEqual(people(play('rfc-basic')));
  });

  test.each(['complete', 'partial'])(
    'the history of an endless call is bounded, the newest stays (%s)',
    (mode) => {
      let state = play('rfc-basic');
      for (let round = 0; round < 30; round++)
        state = apply(
          state,
          `<recording><datamode>${mode}</datamode><session session_id="s${round}"/>${Array.from(
            { length: 50 },
            (_, index) => `<participant id="${round}-${index}"/><stream id="${round}-${index}"/>`,
          ).join('')}</recording>`,
        );
      expect(state.participants).toHaveLength(500);
      expect(state.streams.length).toBeLessThanOrEqual(500);
      expect(state.participants.map(({ id }) => id)).toContain('29-49');
      expect(state.sessions.map(({ id }) => id)).toContain('s29');
    },
  );
});
