import { afterEach, describe, expect, test } from '@jest/globals';
import { openAnyBench, type AnyBench } from './any-server.ts';
import type { Received } from './peer.ts';
import { plainSdp, TWO_LINES, type RecordingClient } from './recording-client.ts';

let bench: AnyBench;

afterEach(async () => {
  await bench.close();
});

async function begin(reInviteAtStop: boolean): Promise<RecordingClient> {
  const trunk = { name: 'loopback', from: ['127.0.0.0/8'], mode: 'compat', reInviteAtStop } as const;
  bench = await openAnyBench({ trunks: [trunk] });
  const client = await bench.client();
  await client.invite();
  const { call } = bench.recorder;
  await call.until(({ notes }) => notes.includes('acknowledged'));
  return client;
}

/** Somebody stops the recording; its ports close. */
function stop(): void {
  const { call } = bench.recorder;
  call.kept = false;
  call.ports = new Map([...call.ports.keys()].map((line) => [line, 9]));
  for (const listener of call.standingListeners) listener();
}

const offered = (client: RecordingClient): Promise<Received> =>
  client.peer.receive(({ startLine }) => startLine.startsWith('INVITE '));

const answer = (client: RecordingClient, request: Received, status: number, body = ''): void => {
  const repeated = ['Via', 'From', 'To', 'Call-ID', 'CSeq'].map(
    (name) => `${name}: ${request.headers.get(name.toLowerCase()) ?? ''}`,
  );
  const contact = `Contact: <sip:client@${client.peer.address}>`;
  const type = body === '' ? [] : ['Content-Type: application/sdp'];
  client.peer.send(
    [`SIP/2.0 ${status} X`, ...repeated, contact, ...type, `Content-Length: ${body.length}`, '', body].join(
      '\r\n',
    ),
  );
};

const INACTIVE = TWO_LINES.replaceAll('a=sendonly', 'a=inactive');

describe('a client whose recording is stopped', () => {
  test('is offered the same lines inactive, and its answer is acknowledged (RFC 7866 §7.2)', async () => {
    const client = await begin(true);
    stop();
    const request = await offered(client);
    expect(request.body.match(/^m=audio 9 /gm)).toHaveLength(2);
    expect(request.body.match(/^a=inactive/gm)).toHaveLength(2);
    expect(request.body.match(/^a=label:[12]/gm)).toHaveLength(2);
    expect(request.headers.get('contact')).toMatch(/;\+sip\.srs$/);
    answer(client, request, 200, INACTIVE);
    await client.peer.receive(({ startLine }) => startLine.startsWith('ACK '));
    const { call } = bench.recorder;
    await call.until(({ notes }) => notes.includes('streams offered as inactive'));
    // The dialog lives on until the client ends it.
    expect((await client.bye()).status).toBe(200);
    expect(await call.ended()).toEqual(['bye']);
  });

  test('that offers at the same time is asked again (RFC 3261 §14.1), and one that refuses keeps its call', async () => {
    const client = await begin(true);
    stop();
    answer(client, await offered(client), 491);
    await client.peer.receive(({ startLine }) => startLine.startsWith('ACK '));
    expect((await client.request('INVITE', plainSdp(INACTIVE))).status).toBe(200);
    client.ack();
    answer(client, await offered(client), 488);
    const { call } = bench.recorder;
    await call.until(({ notes }) => notes.includes('inactive streams refused'));
    expect((await client.bye()).status).toBe(200);
  });

  test('hears nothing of it where the trunk does not ask for that', async () => {
    const client = await begin(false);
    stop();
    expect((await client.request('INVITE', plainSdp(INACTIVE))).status).toBe(200);
    client.ack();
    expect((await client.bye()).status).toBe(200);
    expect(bench.recorder.call.notes).not.toContain('streams offered as inactive');
  });
});
