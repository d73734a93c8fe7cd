import { createServer } from 'node:net';
import { expect, test } from '@jest/globals';
import { startSipServer } from '../../src/sip-server/sip-server.ts';
import { headerOf, newCall } from './raw-peer.ts';
import { SDP, SECRET, startTestServer } from './test-server.ts';

const control = { host: '127.0.0.1', port: 0, secret: SECRET };

test.each([
  ['udp://localhost:5060'],
  ['sctp://127.0.0.1:5060'],
  ['127.0.0.1:5060'],
  ['udp://127.0.0.1:70000'],
])('"%s" is refused as a listen address', async (entry) => {
  await expect(startSipServer({ listen: [entry], control })).rejects.toMatchObject({
    code: 'BAD_ADDRESS',
    message: expect.stringContaining(`"${entry}"`),
  });
});

test.each(['udp', 'tcp'])('a %s port in use is named, and no other port stays open', async (protocol) => {
  const first = await startSipServer({ listen: [`${protocol}://127.0.0.1:0`], control });
  await first.listen();
  const taken = `${protocol}://127.0.0.1:${first.addresses[0]?.port ?? 0}`;
  const second = await startSipServer({ listen: ['udp://127.0.0.1:0', taken], control });
  await expect(second.listen()).rejects.toMatchObject({
    code: 'ADDRESS_IN_USE',
    message: `${taken} is already in use by another program`,
  });
  expect(second.addresses).toEqual([]);
  await second.close();
  await first.close();
});

test('an address this machine does not have is said to be that', async () => {
  const server = await startSipServer({ listen: ['udp://192.0.2.1:0'], control });
  await expect(server.listen()).rejects.toMatchObject({ code: 'ADDRESS_UNAVAILABLE' });
  await server.close();
});

test('a control port in use is named', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as { port: number };
  await expect(startSipServer({ listen: [], control: { ...control, port } })).rejects.toMatchObject({
    code: 'ADDRESS_IN_USE',
    message: expect.stringContaining(`127.0.0.1:${port}`),
  });
  other.close();
});

test.each([
  ['udp', 4],
  ['tcp', 4],
  ['udp', 6],
  ['tcp', 6],
] as const)(
  'on a wildcard address over %s IPv%i the Contact names the address the peer sees',
  async (protocol, family) => {
    const site = await startTestServer({
      listen: ['udp://0.0.0.0:0', 'tcp://0.0.0.0:0', 'udp://[::]:0', 'tcp://[::]:0'],
    });
    let receivedOn = '';
    await site.application((srf) => {
      srf.invite((req, res) => {
        ({ receivedOn } = req as unknown as { receivedOn: string });
        srf.createUAS(req, res, { localSdp: SDP }, () => undefined);
      });
    });
    const peer = await site.open(protocol, family);
    const ok = await peer.setUp(newCall());
    const host = family === 6 ? '[::1]' : '127.0.0.1';
    expect(headerOf(ok, 'Contact')).toContain(`<sip:${host}:`);
    expect(receivedOn).toMatch(new RegExp(`^${host.replace(/[[\].]/g, '\\$&')}:\\d+$`));
    await site.close();
  },
);

test('closing twice is closing once', async () => {
  const server = await startSipServer({ listen: ['tcp://127.0.0.1:0'], control });
  await server.listen();
  await Promise.all([server.close(), server.close()]);
  await expect(server.listen()).rejects.toMatchObject({ code: 'CLOSED' });
});
