import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { CertificateMill, type IssuedCertificate } from '../support/certificates.ts';
import { audioLine, plainMetadata, plainSdp, sdpOf, TRANSFER } from './recording-client.ts';
import { RestartBench, typesOf, until } from './restart-bench.ts';

let mill: CertificateMill;
let ours: IssuedCertificate;
let bench: RestartBench;

beforeAll(() => {
  mill = new CertificateMill();
  ours = mill.issue('recorder.example');
});

afterAll(() => {
  mill.remove();
});

afterEach(() => bench.close());

const OFFER = plainSdp(sdpOf(audioLine('1'), audioLine('2')));
const isOptions = ({ startLine }: { readonly startLine: string }): boolean =>
  startLine.startsWith('OPTIONS ');

describe.each(['tcp', 'tls'] as const)('a call over %s whose recorder was killed (DLG-11)', (protocol) => {
  const openBench = (): RestartBench =>
    new RestartBench(
      protocol,
      protocol === 'tls'
        ? { certificate: ours.certificate, key: ours.key, minVersion: 'TLSv1.2' }
        : undefined,
    );
  const secure = (): IssuedCertificate | undefined => (protocol === 'tls' ? ours : undefined);

  test('goes on over a new connection of the client: INVITE, UPDATE, INFO, OPTIONS and BYE in the old dialog', async () => {
    bench = openBench();
    const { client, port, left } = await bench.cutOff();
    const resumed = await bench.resume(port, left);
    client.peer = await bench.connect(port);
    expect((await client.request('INVITE', OFFER)).status).toBe(200);
    client.ack();
    expect(typesOf(resumed)).toEqual(['opened']);
    expect((await client.request('UPDATE', plainMetadata(TRANSFER))).status).toBe(200);
    const info = { type: 'application/dtmf-relay', body: 'Signal=5\r\n' };
    expect((await client.request('INFO', info)).status).toBe(200);
    expect((await client.request('OPTIONS')).status).toBe(200);
    expect((await client.bye()).status).toBe(200);
    await until(() => typesOf(resumed).length === 2);
  });

  test('is asked after on that connection from then on', async () => {
    bench = openBench();
    // Nobody listens there: until the client comes back there is no way to it.
    const { client, port, left } = await bench.cutOff({ Contact: '<sip:client@127.0.0.1:9>;+sip.src' });
    await bench.resume(port, left);
    client.peer = await bench.connect(port);
    const held = { ...OFFER, headers: { Contact: '<sip:client@127.0.0.1:9>;+sip.src' } };
    expect((await client.request('INVITE', held)).status).toBe(200);
    client.ack();
    const options = await client.peer.receive(isOptions);
    expect(options.headers.get('call-id')).toBe(client.callId);
    client.peer.accept(options);
    expect((await client.bye()).status).toBe(200);
  });

  test('is asked after where its Contact says, over a connection of ours; the BYE may come on it', async () => {
    bench = openBench();
    const contact = await bench.listener(secure());
    const { client, port, left } = await bench.cutOff({
      Contact: `<sip:client@127.0.0.1:${contact.port};transport=${protocol}>;+sip.src`,
    });
    const resumed = await bench.resume(port, left);
    const peer = await contact.first;
    const options = await peer.receive(isOptions);
    expect(options.headers.get('call-id')).toBe(client.callId);
    expect(options.headers.get('via')).toContain(protocol.toUpperCase());
    expect(options.headers.get('via')).toContain(String(port));
    peer.accept(options);
    client.peer = peer;
    expect((await client.bye()).status).toBe(200);
    await until(() => resumed.media.closed.length === 1);
  });

  test('that nobody hears of again is given up, though there is no way to say so', async () => {
    bench = openBench();
    const { client, port, left } = await bench.cutOff({ Contact: '<sip:client@127.0.0.1:9>;+sip.src' });
    client.peer.close();
    const resumed = await bench.resume(port, left, { patience: 200 });
    await until(() => resumed.media.closed.length === 1);
    await until(() => resumed.book.states.size === 0);
    expect(typesOf(resumed)).toEqual([]);
  });
});
