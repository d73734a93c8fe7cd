import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ControlFramer, controlFrame } from '../../src/sip-server/control-framer.ts';
import { newCall } from './raw-peer.ts';
import { SDP, SECRET, startTestServer, type TestServer } from './test-server.ts';

/** An application without drachtio-srf: bare frames. */
class RawApplication {
  readonly frames: string[] = [];
  closed = false;
  readonly #socket: Socket;
  readonly #framer = new ControlFramer(2_000_000);
  #wake: () => void = () => undefined;

  constructor(port: number) {
    this.#socket = connect({ host: '127.0.0.1', port });
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => {
      this.closed = true;
      this.#wake();
    });
    this.#socket.on('data', (chunk: Buffer) => {
      this.#framer.push(chunk);
      for (let frame = this.#framer.next(); frame !== undefined; frame = this.#framer.next())
        this.frames.push(frame);
      this.#wake();
    });
  }

  write(text: string): void {
    this.#socket.write(text, 'latin1');
  }

  send(frame: string): void {
    this.write(controlFrame(Buffer.from(frame, 'utf8').toString('latin1')));
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition())
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
  }

  /** The answer to one message, without the frame's own id. */
  async answer(id: string): Promise<string> {
    const find = (): string | undefined => this.frames.find((each) => each.split('|')[2] === id);
    await this.until(() => find() !== undefined || this.closed);
    return (find() ?? 'closed').replace(/^[^|]+\|/, '');
  }

  async login(): Promise<void> {
    this.send(`login|authenticate|${SECRET}|`);
    await this.answer('login');
  }

  end(): void {
    this.#socket.destroy();
  }
}

let site: TestServer;
let application: RawApplication;

beforeEach(async () => {
  site = await startTestServer();
  application = new RawApplication(site.server.controlPort);
});

afterEach(async () => {
  application.end();
  await site.close();
});

test('a right secret is answered with ports and version', async () => {
  application.send(`id1|authenticate|${SECRET}|tag`);
  expect(await application.answer('id1')).toMatch(
    /^response\|id1\|OK\|udp\/127\.0\.0\.1:0,tcp\/127\.0\.0\.1:0,udp\/\[::1\]:0,tcp\/\[::1\]:0\|v0\.9\.4\|udp/,
  );
});

test.each([
  ['a wrong secret', 'id1|authenticate|wrong|', 'incorrect secret'],
  ['a secret that only begins right', `id1|authenticate|${SECRET.slice(0, -1)}|`, 'incorrect secret'],
  ['a route before login', 'id1|route|invite', 'not authenticated'],
  ['a ping before login', 'id1|ping', 'not authenticated'],
  ['a sip message before login', 'id1|sip||\r\nOPTIONS sip:a@127.0.0.1 SIP/2.0\r\n\r\n', 'not authenticated'],
])('%s is refused and the connection closed', async (_name, frame, reason) => {
  application.send(frame);
  expect(await application.answer('id1')).toBe(`response|id1|NO|${reason}`);
  await application.until(() => application.closed);
});

test.each([
  ['what is no frame', 'x#y'],
  ['a frame before login over 4 KiB', '5000#'],
])('%s closes the connection', async (_name, text) => {
  application.write(text);
  await application.until(() => application.closed);
  expect(application.frames).toEqual([]);
});

test.each([
  ['ping', 'OK|pong'],
  ['route|invite', 'OK'],
  ['remove_route|invite', 'OK'],
  ['proxy|txn||||serial|||sip:a@b\r\nINVITE sip:a@b SIP/2.0\r\n\r\n', 'NOK|proxy not supported'],
  ['sip|nobody|\r\nSIP/2.0 200 OK\r\n\r\n', 'NOK|Response not sent due to unknown transaction'],
  ['sip||nowhere;from-tag=x\r\nBYE sip:placeholder SIP/2.0\r\n\r\n', 'NOK|Server error: unable to find dialog for dialog id provided'], // prettier-ignore
  [
    'sip|nobody|\r\nCANCEL sip:placeholder SIP/2.0\r\n\r\n',
    'NOK|unable to cancel unknown transaction id: nobody',
  ],
  ['sip||\r\nOPTIONS tel:12 SIP/2.0\r\n\r\n', 'NOK|invalid request-uri: OPTIONS tel:12 SIP/2.0'],
  ['sip||\r\nrubbish\r\n\r\n', 'NOK|invalid request-uri: rubbish'],
  ['sip||\r\nOPTIONS sips:a@127.0.0.1 SIP/2.0\r\n\r\n', 'NOK|requested protocol/transport not available'],
  [
    'sip||\r\nOPTIONS sip:a@127.0.0.1;transport=ws SIP/2.0\r\n\r\n',
    'NOK|requested protocol/transport not available',
  ],
  ['sip||\r\nMESSAGE sip:a@127.0.0.1 SIP/2.0\r\n\r\nhello', 'NOK|missing content-type'],
  ['sip||\r\nINVITE sip:a@127.0.0.1 SIP/2.0\r\n\r\n', 'NOK|out-of-dialog INVITE not supported'],
  ['bogus|x', 'NO|Unknown message type'],
])('"%s" is answered %s', async (frame, answer) => {
  await application.login();
  application.send(`id1|${frame}`);
  expect(await application.answer('id1')).toBe(`response|id1|${answer}`);
});

test('a request to ourselves is refused', async () => {
  await application.login();
  await site.server.listen();
  const { port } = site.server.addresses.find((each) => each.protocol === 'udp') ?? { port: 0 };
  application.send(`id1|sip||\r\nOPTIONS sip:a@127.0.0.1:${port} SIP/2.0\r\n\r\n`);
  expect(await application.answer('id1')).toBe('response|id1|NOK|can not send request to myself');
});

test('a new request carries where it came from and where it came in; the answer says what was sent', async () => {
  await application.login();
  application.send('r|route|options');
  await application.answer('r');
  await site.server.listen();
  const peer = await site.open('udp', 6);
  peer.send(peer.compose('OPTIONS', newCall(), { headers: ['k: timer'] }));
  await application.until(() => application.frames.some((each) => each.includes('|sip|network|')));

  const [line = '', start = '', ...rest] = (application.frames.at(-1) ?? '').split('\r\n');
  const at = site.server.addresses.find((each) => each.protocol === 'udp' && each.address === '::1');
  expect(line.replace(/^[^|]+/, 'id')).toMatch(
    new RegExp(
      `^id\\|sip\\|network\\|\\d+\\|udp\\|::1\\|${peer.port}\\|[\\d:.]{15}\\|[-0-9a-f]{36}\\|\\|\\[::1\\]\\|${at?.port ?? ''}\\|$`,
    ),
  );
  expect(start).toBe('OPTIONS sip:srs@recorder.example SIP/2.0');
  expect(rest).toContain('Supported: timer');
  const txnId = line.split('|')[8] ?? '';
  application.send(
    `id2|sip|${txnId}|\r\nSIP/2.0 200 OK\r\nuser-agent: ünit\r\nvia: x\r\nX-a: 1\r\nContent-Length: 99\r\n\r\n`,
  );
  const [okLine = '', ...sent] = (await application.answer('id2')).split('\r\n');
  expect(okLine).toMatch(
    new RegExp(
      `^response\\|id2\\|OK\\|application\\|\\d+\\|udp\\|::1\\|${peer.port}\\|[\\d:.]{15}\\|${txnId}\\|\\|\\|Msg sent:\\|$`,
    ),
  );
  const onWire = await peer.next(/^SIP\/2\.0 200 OK/);
  expect(sent.join('\r\n')).toBe(onWire);
  expect(Buffer.from(onWire, 'latin1').toString('utf8')).toContain('User-Agent: ünit\r\n');
  expect(onWire).toContain('X-a: 1\r\nContent-Length: 0\r\n\r\n');
  expect(onWire.match(/^Via:/gm)).toHaveLength(1);
  application.send(`id3|sip|${txnId}|\r\nSIP/2.0 200 OK\r\n\r\n`);
  expect(await application.answer('id3')).toMatch(/NOK\|Response not sent due to unknown transaction$/);
});

test('a body keeps its octets both ways, and Content-Length counts them', async () => {
  await application.login();
  application.send('r|route|message');
  await application.answer('r');
  await site.server.listen();
  const peer = await site.open('tcp');
  peer.request('MESSAGE', newCall(), { body: 'grüße' });
  await application.until(() => application.frames.some((each) => each.includes('MESSAGE sip:')));
  const frame = application.frames.at(-1) ?? '';
  expect(Buffer.from(frame, 'latin1').toString('utf8')).toMatch(/Content-Length: 7\r\n\r\ngrüße$/);
  application.send(
    `id2|sip|${frame.split('|')[8] ?? ''}|\r\nSIP/2.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhällo`,
  );
  const ok = await peer.next(/^SIP\/2\.0 200/);
  expect(Buffer.from(ok, 'latin1').toString('utf8')).toMatch(/Content-Length: 6\r\n\r\nhällo$/);
});

test('applications take turns, and one that left its route is passed over', async () => {
  const second = new RawApplication(site.server.controlPort);
  for (const each of [application, second]) {
    await each.login();
    each.send('r|route|options');
    await each.answer('r');
  }
  await site.server.listen();
  const peer = await site.open('udp');
  const offered = (): number[] =>
    [application, second].map((each) => each.frames.filter((frame) => frame.includes('OPTIONS sip:')).length);
  for (let count = 1; count <= 4; count += 1) {
    peer.request('OPTIONS', newCall());
    await Promise.race(
      [application, second].map((each) => each.until(() => offered().reduce((a, b) => a + b) === count)),
    );
  }
  expect(offered()).toEqual([2, 2]);
  second.send('rr|remove_route|options');
  await second.answer('rr');
  for (let count = 1; count <= 2; count += 1) {
    peer.request('OPTIONS', newCall());
    await application.until(() => offered()[0] === 2 + count);
  }
  expect(offered()).toEqual([4, 2]);
  second.end();
});

test('when the application goes, pending INVITEs get 500, pending requests in dialogs 481, and a BYE waits for the next one', async () => {
  await application.login();
  application.send('r|route|invite');
  await application.answer('r');
  await site.server.listen();
  const peer = await site.open('udp');
  const standing = newCall();
  peer.request('INVITE', standing);
  await application.until(() => application.frames.some((each) => each.includes('INVITE sip:')));
  const txnId = application.frames.at(-1)?.split('|')[8] ?? '';
  application.send(`ok|sip|${txnId}|\r\nSIP/2.0 200 OK\r\n\r\n${SDP}`);
  standing.toTag = /;tag=(\S+)/.exec((await peer.next(/^SIP\/2\.0 200/)).split('To:')[1] ?? '')?.[1];
  peer.request('ACK', standing);
  standing.cseq = 2;
  peer.request('INFO', standing);
  await application.until(() => application.frames.some((each) => each.includes('INFO sip:')));
  peer.request('INVITE', newCall());
  await application.until(
    () => application.frames.filter((each) => each.includes('\r\nINVITE sip:')).length === 2,
  );

  application.end();
  await peer.next(/^SIP\/2\.0 481 [\s\S]*CSeq: 2 INFO/);
  await peer.next(/^SIP\/2\.0 500 [\s\S]*CSeq: 1 INVITE/);
  standing.cseq = 3;
  peer.request('BYE', standing);
  await peer.next(/^SIP\/2\.0 200 [\s\S]*CSeq: 3 BYE/);
  expect(site.server.counters()).toMatchObject({ dialogs: 0, applications: 0 });

  const next = new RawApplication(site.server.controlPort);
  await next.login();
  next.send('r|route|invite');
  await next.until(() => next.frames.some((each) => /\|unsolicited\|[\s\S]*\r\nBYE sip:/.test(each)));
  next.end();
});
