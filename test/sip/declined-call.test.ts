import { afterEach, describe, expect, test } from '@jest/globals';
import { Recorder } from '../../src/recorder/recorder.ts';
import { RECORD_ALL, type Decision } from '../../src/rules/decision.ts';
import { FakeFolders, FakeJournal, FakeMedia } from '../support/recorder-fakes.ts';
import { openBench, type Bench } from './bench.ts';
import { COMPLETE, multipart, recordingSession, TWO_LINES } from './recording-client.ts';

const PRIVATE: Decision = {
  ...RECORD_ALL,
  record: false,
  rule: 'private',
  version: 3,
  reason: 'a private number',
};

let bench: Bench | undefined;

afterEach(() => bench?.close());

/** The application with a real recorder; `keeps` says of each description whether it is recorded. */
async function open(
  notRecorded: 'inactive' | 403 | 603,
  keeps: (description: object) => boolean = () => false,
) {
  const [media, journal, folders] = [new FakeMedia(), new FakeJournal(), new FakeFolders()];
  const recorder = new Recorder({
    media,
    journal,
    folders,
    now: Date.now,
    log: () => undefined,
    minFreeBytes: 0,
  });
  bench = await openBench({
    recorder,
    trunks: [{ name: 'loopback', from: ['127.0.0.0/8'], mode: 'compat', notRecorded }],
    policy: { decide: ({ description }) => (keeps(description) ? RECORD_ALL : PRIVATE) },
  });
  return { client: await bench.client(), recorder, media, journal };
}

const told = ({ events }: FakeJournal): readonly string[] =>
  events.map(({ type }) => type).filter((type) => type !== 'noted');

describe('a call that the rules keep out', () => {
  test('is answered with 200 and inactive streams, and only the decision is kept', async () => {
    const { client, recorder, media, journal } = await open('inactive');
    const answer = await client.invite(recordingSession());
    expect(answer.status).toBe(200);
    expect(answer.body.match(/^m=audio (\d+)/gm)).toEqual(['m=audio 9', 'm=audio 9']);
    expect(answer.body.match(/^a=(?:inactive|recvonly)/gm)).toEqual(['a=inactive', 'a=inactive']);
    expect((await client.request('BYE')).status).toBe(200);
    expect(journal.events).toEqual([
      expect.objectContaining({ type: 'declined', answer: 'inactive', decision: PRIVATE, trunk: 'loopback' }),
    ]);
    expect(JSON.stringify(journal.events)).not.toMatch(/anna|bert|15550100|@pbx/i);
    expect(media.opened).toEqual([]);
    expect(recorder.counts).toMatchObject({ accepted: 0, declined: 1 });
  });

  test.each([403, 603] as const)('is answered with %d where the trunk wants it', async (status) => {
    const { client, recorder, media, journal } = await open(status);
    expect((await client.invite(recordingSession())).status).toBe(status);
    expect(journal.events).toEqual([
      expect.objectContaining({ type: 'declined', answer: String(status), decision: PRIVATE }),
    ]);
    expect(media.opened).toEqual([]);
    expect(recorder.counts).toMatchObject({ accepted: 0, declined: 1, refused: {} });
  });

  test('begins to be recorded with the next communication session of the dialog, and ends with the one after', async () => {
    let session = 1;
    const { client, media, journal } = await open('inactive', () => session === 2);
    const next = (name: string) => multipart(TWO_LINES, COMPLETE.replaceAll('"s1"', `"${name}"`));
    expect((await client.invite(recordingSession())).body).toMatch(/^a=inactive/m);
    session = 2;
    const recorded = await client.request('INVITE', next('s2'));
    client.ack();
    expect(recorded.body.match(/^m=audio (\d+)/gm)).toEqual(['m=audio 20000', 'm=audio 20002']);
    expect(recorded.body).not.toMatch(/^a=inactive/m);
    session = 3;
    const after = await client.request('INVITE', next('s3'));
    client.ack();
    expect(after.body.match(/^a=(?:inactive|recvonly)/gm)).toEqual(['a=inactive', 'a=inactive']);
    await client.request('BYE');
    expect(told(journal)).toEqual(['declined', 'opened', 'failed', 'declined']);
    expect(media.opened).toHaveLength(1);
    expect(media.closed).toHaveLength(1);
  });
});
