import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type Srf from 'drachtio-srf';
import { headerOf, newCall } from './raw-peer.ts';
import { SDP, startTestServer, type TestServer } from './test-server.ts';

const TRANSPORTS = [
  ['udp', 4],
  ['tcp', 4],
  ['udp', 6],
  ['tcp', 6],
] as const;

describe('a call', () => {
  let site: TestServer;
  let dialogs: Srf.Dialog[];
  let destroyed: number;

  beforeEach(async () => {
    dialogs = [];
    destroyed = 0;
    site = await startTestServer();
    await site.application((srf) => {
      srf.invite((req, res) => {
        srf.createUAS(req, res, { localSdp: SDP }, (error, dialog) => {
          if (error !== null) throw new Error(String(error));
          dialogs.push(dialog);
          dialog.on('destroy', () => (destroyed += 1));
        });
      });
    });
  });

  afterEach(async () => {
    await site.close();
  });

  test.each(TRANSPORTS)('over %s on IPv%i is set up and ended by the peer', async (protocol, family) => {
    const peer = await site.open(protocol, family);
    const call = newCall();
    const ok = await peer.setUp(call, { body: SDP });
    expect(peer.received[0]).toMatch(/^SIP\/2\.0 100 Trying/);
    expect(headerOf(ok, 'Contact')).toMatch(family === 6 ? /^<sip:\[::1\]:\d+/ : /^<sip:127\.0\.0\.1:\d+/);
    expect(ok.endsWith(SDP)).toBe(true);
    await peer.hangUp(call);
    expect(destroyed).toBe(1);
    expect(site.server.counters().dialogs).toBe(0);
    expect(site.logged.filter((each) => each.level === 'error')).toEqual([]);
  });
});
