import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openAnyBench, type AnyBench } from './any-server.ts';
import type { Received } from './peer.ts';
import {
  COMPLETE,
  plainMetadata,
  recordingSession,
  TRANSFER,
  TWO_LINES,
  type RecordingClient,
} from './recording-client.ts';

let bench: AnyBench;

beforeEach(async () => {
  bench = await openAnyBench();
});

afterEach(async () => {
  await bench.close();
});

/** Begins with a partial document, so that the chain of updates is broken from the start. */
async function begin(allow?: string): Promise<RecordingClient> {
  const client = await bench.client();
  const session = recordingSession(TWO_LINES, TRANSFER);
  await client.invite({ ...session, headers: { ...session.headers, Allow: allow } });
  return client;
}

const asked = (client: RecordingClient): Promise<Received> =>
  client.peer.receive(({ startLine }) => startLine.startsWith('UPDATE '));

const answer = (client: RecordingClient, request: Received, status: number): void => {
  const repeated = ['Via', 'From', 'To', 'Call-ID', 'CSeq'].map(
    (name) => `${name}: ${request.headers.get(name.toLowerCase()) ?? ''}`,
  );
  client.peer.send(
    [
      `SIP/2.0 ${status} X`,
      ...repeated,
      `Contact: <sip:client@${client.peer.address}>`,
      'Content-Length: 0',
      '',
      '',
    ].join('\r\n'),
  );
};

describe('metadata that is incomplete', () => {
  test('is asked for anew by UPDATE without SDP, in a request of its own (SNAP-1, SNAP-2, SNAP-3)', async () => {
    const client = await begin('INVITE, ACK, BYE, UPDATE');
    const update = await asked(client);
    expect(update.headers.get('content-type')).toBe('application/rs-metadata+xml');
    expect(update.headers.get('content-disposition')).toBe('recording-session');
    expect(update.headers.get('contact')).toMatch(/^<sip:srs@127\.0\.0\.1:\d+>;\+sip\.srs$/);
    expect(update.body).toContain('<requestsnapshot xmlns="urn:ietf:params:xml:ns:recording:1">');
    answer(client, update, 200);
    const { call } = bench.recorder;
    expect((await client.request('UPDATE', plainMetadata(COMPLETE))).status).toBe(200);
    await call.until(({ descriptions }) => descriptions.length === 1);
    expect(call.descriptions[0]).toMatchObject({ metadataStatus: 'complete', callee: { number: 'bert' } });
    expect(call.notes.filter((note) => note === 'snapshot requested')).toHaveLength(1);
  });

  test('may come before our request is answered: no UPDATE of the client is lost', async () => {
    const client = await begin('INVITE, UPDATE');
    const update = await asked(client);
    const { call } = bench.recorder;
    expect((await client.request('UPDATE', plainMetadata(COMPLETE))).status).toBe(200);
    await call.until(({ descriptions }) => descriptions.length === 1);
    answer(client, update, 200);
    expect((await client.bye()).status).toBe(200);
  });

  test.each([405, 415, 488, 501])(
    'is never asked for again after %d, and the call goes on (SNAP-4)',
    async (status) => {
      const client = await begin('INVITE, UPDATE');
      answer(client, await asked(client), status);
      const { call } = bench.recorder;
      await call.until(({ notes }) => notes.includes('snapshot refused'));
      await client.request('UPDATE', plainMetadata(TRANSFER));
      expect((await client.bye()).status).toBe(200);
      expect(await call.ended()).toEqual(['bye']);
      expect(call.notes.filter((note) => note === 'snapshot requested')).toHaveLength(1);
    },
  );

  test.each([
    ['does not list UPDATE', 'INVITE, ACK, BYE'],
    ['lists nothing', undefined],
  ])('is left as it is when Allow %s (SNAP-4)', async (_title, allow) => {
    const client = await begin(allow);
    await client.bye();
    const { call } = bench.recorder;
    await call.ended();
    expect(call.notes).not.toContain('snapshot requested');
  });
});
