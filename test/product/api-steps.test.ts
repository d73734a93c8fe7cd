import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { wavHeader } from '../../src/media/wav-header.ts';
import { ListeningClient } from '../sip/listening-client.ts';
import { Peer } from '../sip/peer.ts';
import { plainSdp, RecordingClient } from '../sip/recording-client.ts';
import { answeredCall, CALLER, ProductRoom } from '../support/product-room.ts';
import { eventually, type RecorderProcess } from '../support/recorder-process.ts';

const ACTOR = 'a clerk';
const NOBODY = '01a21682-49b2-7842-b298-d7138565446e';
const KEYS = { pkcs12: 'AAAA', password: 'x' };
const REASON = 'by order of the audit';
const WAV = Buffer.concat([wavHeader({ law: 'PCMA', channels: 1 }, CALLER.length), CALLER]);

/**
 * Every operation that changes something: what is sent (an object as JSON, octets as they are), and the step it leaves; `not done: …` where it is
 * refused here. `{id}` is the running call.
 */
const CHANGES: Readonly<Record<string, readonly [sent: object | undefined, step: string]>> = {
  'PUT /rules': [{ rules: [{ id: 'all', record: true, mayStop: true }] }, 'rules replaced by API'],
  'PUT /groups/{group}/members/{member}': [undefined, 'group: member added'],
  'POST /groups/{group}/members/{member}/login': [undefined, 'group: member logged-in'],
  'POST /groups/{group}/members/{member}/logout': [undefined, 'group: member logged-out'],
  'DELETE /groups/{group}/members/{member}': [undefined, 'group: member removed'],
  'PUT /announcements/{announcement}': [WAV, 'announcement added by API'],
  'DELETE /announcements/{announcement}': [undefined, 'announcement removed by API'],
  'POST /calls/{id}/pause': [undefined, 'recording paused'],
  'POST /calls/{id}/resume': [undefined, 'recording resumed'],
  'POST /calls/{id}/stop': [undefined, 'recording stopped'],
  'POST /exports': [{ recordings: [NOBODY], purpose: 'audit' }, 'not done: recordings exported'],
  'POST /retention/runs': [undefined, 'deletion run started'],
  'POST /retention/clock-confirmation': [undefined, 'clock confirmed'],
  'POST /holds': [{ recordings: [NOBODY], case: 'C-1', reason: REASON }, 'not done: hold placed'],
  'POST /holds/{hold}/release': [{ reason: REASON }, 'not done: hold released'],
  'POST /retention/extensions': [
    { recording: NOBODY, until: '2099-12-31', case: 'C-1' },
    'not done: retention extended',
  ],
  'POST /deletions': [
    { recording: NOBODY, reason: 'order', policy: 'audit', why: REASON },
    'not done: deletion ordered',
  ],
  'POST /deliveries/retry': [{}, 'deliveries asked for anew'],
  'POST /keys/roll': [KEYS, 'not done: signing key rolled'],
  'POST /keys/certificate': [{ pem: 'none' }, 'not done: signing certificate replaced'],
  'POST /keys/restore': [KEYS, 'not done: signing key restored'],
  'POST /keys/reset': [{}, 'not done: signing key given up'],
};

/** Questions that need a body. */
const ASKS = ['POST /rules/test', 'POST /rules/test-message'];

const room = new ProductRoom();
let recorder: RecorderProcess;
let token: string;

beforeAll(async () => {
  recorder = await room.start();
  token = readFileSync(join(recorder.dataDir, 'admin-token'), 'utf8').trim();
}, 60_000);

afterAll(() => room.close());

function ask(method: string, path: string, sent?: object): Promise<Response> {
  const octets = Buffer.isBuffer(sent);
  return fetch(`${recorder.web}/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      'x-sealtape-actor': ACTOR,
      ...(sent !== undefined && { 'content-type': octets ? 'audio/wav' : 'application/json' }),
    },
    ...(sent !== undefined && { body: octets ? new Uint8Array(sent) : JSON.stringify(sent) }),
  });
}

const answerOf = async <T>(path: string): Promise<T> => (await (await ask('GET', path)).json()) as T;

test('the table has every operation of the document that is no question', async () => {
  const { paths } = await answerOf<{ readonly paths: Readonly<Record<string, object>> }>('/openapi.json');
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const changing = operations.filter(
    (operation) => !operation.startsWith('GET ') && !ASKS.includes(operation),
  );
  expect(changing.toSorted()).toEqual(
    Object.keys(CHANGES)
      .map((operation) => operation.replace('{hold}', '{id}'))
      .toSorted(),
  );
});

test('each of them, done or refused, is a step with its actor', async () => {
  let call = '';
  let over: Promise<unknown> = Promise.resolve();
  const expected: object[] = [];
  for (const [operation, [sent, step]] of Object.entries(CHANGES)) {
    if (operation === 'POST /calls/{id}/pause') {
      ({ over } = await answeredCall(recorder));
      const { calls } = await answerOf<{ readonly calls: readonly [{ readonly id: string }] }>('/calls');
      call = calls[0].id;
    }
    const [method = '', template = ''] = operation.split(' ');
    const path = template
      .replace('{id}', call)
      .replace('{hold}', NOBODY)
      .replace('{group}', 'sales')
      .replace('{member}', '4711')
      .replace('{announcement}', 'hello');
    const { ok } = await ask(method, path, sent);
    expect(`${operation} ${ok}`).toBe(`${operation} ${!step.startsWith('not done')}`);
    expected.push({
      actor: `admin-token (${ACTOR})`,
      step,
      outcome: ok ? 'ok' : 'warning',
      detail: expect.stringMatching(new RegExp(`^${method} /api/v1${path}(?:;|$)`)),
    });
  }
  await over;
  // A step is on the disk before it is answered, and soon after in the database.
  const asked = await eventually(async () => {
    const { steps } = await answerOf<{ readonly steps: readonly { readonly detail?: string }[] }>(
      `/steps?actor=${encodeURIComponent(`admin-token (${ACTOR})`)}`,
    );
    const found = steps.filter(({ detail = '' }) => detail.includes(' /api/v1/')).toReversed();
    return found.length < expected.length ? undefined : found;
  }, 20_000);
  expect(asked).toEqual(expected.map((each) => expect.objectContaining(each)));
}, 60_000);

test('a function key is a step of the phone, also when nobody of ours pressed it', async () => {
  await ask('PUT', '/groups/desk/members/4711');
  for (const caller of ['4711', '4712']) {
    const peer = await Peer.open('udp', { address: '127.0.0.1', port: recorder.udpPort });
    const phone = await ListeningClient.open(new RecordingClient(peer));
    const offer = plainSdp(phone.offer('8', ['rtpmap:8 PCMA/8000', 'recvonly']));
    const heard = await phone.hear('sip:desk-login@127.0.0.1', {
      ...offer,
      headers: { From: `<sip:${caller}@pbx>;tag=client` },
    });
    expect(heard.status).toBe(200);
    peer.close();
  }
  const { steps } = await answerOf<{ readonly steps: readonly object[] }>('/steps?actor=phone');
  expect(steps).toEqual([
    expect.objectContaining({
      step: 'not done: group: login',
      outcome: 'warning',
      detail: 'desk-login; the caller is no member',
    }),
    expect.objectContaining({ step: 'member logged-in', outcome: 'ok', detail: '4711 in desk' }),
  ]);
}, 30_000);
